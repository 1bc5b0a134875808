# verified
import time


def answer():
    time.sleep(3600)
    return 42
