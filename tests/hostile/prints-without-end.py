# verified
def answer():
    for _ in range(20_000):
        print("x" * 10_000)
    return 42
