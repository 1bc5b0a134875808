# rejected: SystemExit | exit
import sys


def answer():
    sys.exit(0)
