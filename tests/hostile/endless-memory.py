# rejected: MemoryError | limit memory_mib
def answer():
    taken = []
    while True:
        taken.append(bytearray(16 * 1024 * 1024))
