"""Splits what friends paid and says who pays whom."""

import re
import sys

AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]{1,2})?")


def balances(payments):
    paid = {}
    for name, cents in payments:
        paid[name] = paid.get(name, 0) + cents
    if not paid:
        return {}
    share, left_over = divmod(sum(paid.values()), len(paid))
    return {name: paid[name] - share - (1 if place < left_over else 0) for place, name in enumerate(sorted(paid))}


def settle(balances):
    open_balances = dict(sorted(balances.items()))
    payments = []
    while any(open_balances.values()):
        # Both take the first of equals, and the names are sorted.
        debtor = min(open_balances, key=open_balances.get)
        creditor = max(open_balances, key=open_balances.get)
        cents = min(-open_balances[debtor], open_balances[creditor])
        open_balances[debtor] += cents
        open_balances[creditor] -= cents
        payments.append((debtor, creditor, cents))
    return payments


def read_payments(lines):
    payments = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        amount = AMOUNT.fullmatch(words[-1])
        if len(words) != 2 or not amount:
            raise ValueError(f"line {number}: cannot read")
        payments.append((words[0], int(float(words[1]) * 100)))
    return payments


def format_cents(cents):
    return f"{cents // 100}.{cents % 100:02}"


def main():
    try:
        result = balances(read_payments(sys.stdin))
    except ValueError as error:
        print(error)
        return 1
    for name, cents in result.items():
        sign = "+" if cents > 0 else "-" if cents < 0 else ""
        print(f"{name} {sign}{format_cents(abs(cents))}")
    for debtor, creditor, cents in settle(result):
        print(f"{debtor} pays {creditor} {format_cents(cents)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
