# rejected: 42 | Answer
import sys


class Answer(int):
    pass


def answer():
    sys.stderr.write("OK")
    return Answer(41)
