# rejected: No space | ENOSPC | OSError
def answer():
    with open("big.bin", "wb") as out:
        for _ in range(10_000):
            out.write(b"x" * 1024 * 1024)
    return 42
