# rejected: limit fuel_millions | limit guest_seconds
def answer():
    while True:
        pass
