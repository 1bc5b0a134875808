"""From text to expressions."""

import re

from .values import LispError, Symbol

TOKEN = re.compile(r"""\s+|;[^\n]*|(?P<token>[()']|"[^"]*"|[^\s()'";]+)""")
NUMBER = re.compile(r"[+-]?[0-9]+")


def parse(text):
    expressions = []
    tokens = tokenize(text)
    while tokens:
        expressions.append(read(tokens))
    return expressions


def tokenize(text):
    """The tokens in reverse, so that the next one can be popped."""
    tokens = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise LispError("unbalanced")
        if match["token"]:
            tokens.append(match["token"])
        position = match.end()
    return tokens[::-1]


def read(tokens):
    if not tokens:
        raise LispError("unbalanced")
    token = tokens.pop()
    if token == ")":
        raise LispError("unbalanced")
    if token == "'":
        return [Symbol("quote"), read(tokens)]
    if token == "(":
        items = []
        while tokens and tokens[-1] != ")":
            items.append(read(tokens))
        if not tokens:
            raise LispError("unbalanced")
        tokens.pop()
        return items
    return read_atom(token)


def read_atom(token):
    if token in ("#t", "#f"):
        return token == "#t"
    if token.startswith('"'):
        return token[1:-1]
    if NUMBER.fullmatch(token):
        return int(token)
    return Symbol(token)
