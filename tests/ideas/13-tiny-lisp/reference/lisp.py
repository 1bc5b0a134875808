"""Runs a Lisp program from the standard input."""

import sys

from tinylisp import LispError, evaluate_each, parse, to_text


def main(arguments):
    try:
        expressions = parse(sys.stdin.read())
        if arguments == ["--check"]:
            print("ok")
            return 0
        for value in evaluate_each(expressions):
            if value is not None:
                print(to_text(value))
    except LispError as error:
        print(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
