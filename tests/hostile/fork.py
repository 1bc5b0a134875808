# rejected: not available | fork
import os


def answer():
    return 42 if os.fork() else 0
