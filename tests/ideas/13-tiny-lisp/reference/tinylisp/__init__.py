"""A small Lisp."""

from .builtin import global_names
from .evaluator import Environment, evaluate
from .reader import parse
from .values import LispError, Symbol, to_text

__all__ = ["LispError", "Symbol", "evaluate_each", "parse", "run", "to_text"]


def run(text):
    value = None
    for value in evaluate_each(parse(text)):
        pass
    return value


def evaluate_each(expressions):
    """The value of each expression, one after the other, with fresh definitions."""
    environment = Environment(global_names())
    for expression in expressions:
        yield evaluate(expression, environment)
