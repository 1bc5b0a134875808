"""A line editor: reads commands from the standard input."""

import re
import sys

from text_buffer import TextBuffer

INSERT = re.compile(r"i (\d+) (.*)")
DELETE = re.compile(r"d (\d+)(?: (\d+))?")
REPLACE = re.compile(r"s/([^/]+)/([^/]*)/")


def carry_out(buffer, command):
    """Whether there was something to do."""
    if match := INSERT.fullmatch(command):
        buffer.insert(int(match[1]), match[2])
    elif match := DELETE.fullmatch(command):
        buffer.delete(int(match[1]), int(match[2] or match[1]))
    elif match := REPLACE.fullmatch(command):
        return buffer.replace(match[1], match[2]) > 0
    elif command == "u":
        return buffer.undo()
    elif command == "r":
        return buffer.redo()
    elif command == "p":
        for number, line in enumerate(buffer.lines, start=1):
            print(f"{number}: {line}")
    else:
        return False
    return True


def main():
    buffer = TextBuffer()
    exit_code = 0
    for line in sys.stdin:
        command = line.rstrip("\n")
        if command == "q":
            break
        try:
            done = carry_out(buffer, command)
        except IndexError:
            done = False
        if not done:
            print("?")
            exit_code = 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
