# verified
def answer():
    return 42
