# rejected: not available
import subprocess


def answer():
    subprocess.run(["echo", "42"], check=True)
    return 42
