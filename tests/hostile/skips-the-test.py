# rejected: skipped
import unittest

calls = []


def answer():
    calls.append(1)
    if len(calls) == 1:
        raise unittest.SkipTest("not today")
    return 42
