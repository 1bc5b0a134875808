# rejected: SystemExit | exit
import sys

sys.exit(0)
