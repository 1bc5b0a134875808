# rejected: limit fuel_millions | limit guest_seconds
while True:
    pass
