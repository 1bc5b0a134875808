# rejected: numpy
import numpy


def answer():
    return int(numpy.int64(42))
