# rejected: not available
import socket


def answer():
    socket.create_connection(("127.0.0.1", 80))
    return 42
