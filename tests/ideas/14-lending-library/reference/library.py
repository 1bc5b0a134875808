"""The command line of the library."""

import argparse
import sys

import desk
import store

COMMANDS = {
    "add-book": (desk.add_book, ("code", "title")),
    "add-member": (desk.add_member, ("name",)),
    "lend": (desk.lend, ("code", "name", "date")),
    "return": (desk.give_back, ("code", "name", "date")),
    "reserve": (desk.reserve, ("code", "name")),
    "overdue": (desk.overdue, ("date",)),
    "report": (desk.report, ()),
}


def read_arguments():
    parser = argparse.ArgumentParser(description="Keeps the books of a library.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, arguments) in COMMANDS.items():
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument)
        if name == "add-book":
            command.add_argument("--copies", type=int, default=1)
    return vars(parser.parse_args())


def main():
    arguments = read_arguments()
    action, _ = COMMANDS[arguments.pop("command")]
    library = store.load()
    try:
        print(action(library, **arguments))
    except desk.Refused as refusal:
        print(refusal)
        return 1
    except ValueError:
        print("bad date")
        return 2
    store.save(library)
    return 0


if __name__ == "__main__":
    sys.exit(main())
