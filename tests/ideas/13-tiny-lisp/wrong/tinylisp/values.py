"""What a program works with besides int, str, bool and list."""


class LispError(Exception):
    pass


class Symbol(str):
    """A name."""


def to_text(value):
    """As it is written in Lisp."""
    if value is True:
        return "#t"
    if value is False:
        return "#f"
    if isinstance(value, list):
        return "(" + " ".join(map(to_text, value)) + ")"
    if isinstance(value, str) and not isinstance(value, Symbol):
        return f'"{value}"'
    if callable(value):
        return "#function"
    return str(value)
