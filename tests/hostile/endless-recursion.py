# rejected: RecursionError | stack
def answer():
    return answer() + 1
