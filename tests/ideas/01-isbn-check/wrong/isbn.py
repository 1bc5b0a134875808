"""Tells whether a book number (ISBN-10 or ISBN-13) is right."""

import sys

DIGITS = "0123456789"


def is_valid(text):
    number = text.replace("-", "").replace(" ", "")
    if len(number) == 13:
        return _is_valid_13(number)
    if len(number) == 10:
        return _is_valid_10(number)
    return False


def _is_valid_13(number):
    if any(character not in DIGITS for character in number):
        return False
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(number))
    return total % 10 == 0


def _is_valid_10(number):
    if any(character not in DIGITS for character in number[:9]) or number[9] not in DIGITS + "Xx":
        return False
    values = [10 if character in "Xx" else int(character) for character in number]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


def main(arguments):
    if len(arguments) != 1:
        print("usage: python3 isbn.py NUMBER")
        return 2
    print("valid" if is_valid(arguments[0]) else "invalid")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
