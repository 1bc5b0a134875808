"""The functions that every program has."""

import math
import operator

from .values import LispError


def subtract(first, *rest):
    return first - sum(rest) if rest else -first


def quotient(dividend, divisor):
    check_divisor(divisor)
    return dividend // divisor


def remainder(dividend, divisor):
    check_divisor(divisor)
    return dividend % divisor


def check_divisor(divisor):
    if divisor == 0:
        raise LispError("division by zero")


def global_names():
    return {
        "+": lambda *numbers: sum(numbers),
        "*": lambda *numbers: math.prod(numbers),
        "-": subtract,
        "quotient": quotient,
        "remainder": remainder,
        "=": operator.eq,
        "<": operator.lt,
        ">": operator.gt,
        "<=": operator.le,
        ">=": operator.ge,
        "not": lambda value: value is False,
        "list": lambda *items: list(items),
        "cons": lambda first, rest: [first] + rest,
        "car": lambda items: items[0],
        "cdr": lambda items: items[1:],
        "length": len,
        "null?": lambda items: items == [],
    }
