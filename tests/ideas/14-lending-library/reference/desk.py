"""What happens at the desk of the library. Every function changes the library that it is given and returns what to print."""

from loans import days_late, due_date, fine_cents, parse_date

LOANS_OF_A_MEMBER = 3


class Refused(Exception):
    """It can't be done; nothing was changed."""


def add_book(library, code, title, copies):
    if code in library["books"]:
        raise Refused("book exists")
    library["books"][code] = {"title": title, "copies": copies, "times_lent": 0, "queue": []}
    return f"added book {code}"


def add_member(library, name):
    if name in library["members"]:
        raise Refused("member exists")
    library["members"].append(name)
    return f"added member {name}"


def lend(library, code, name, date):
    book = find(library, code, name)
    due = due_date(date)
    if sum(loan["name"] == name for loan in library["loans"]) >= LOANS_OF_A_MEMBER:
        raise Refused("too many loans")
    if free_copies(library, code) == 0:
        raise Refused("no copy left")
    if book["queue"]:
        if book["queue"][0] != name:
            raise Refused(f"held for {book['queue'][0]}")
        book["queue"].pop(0)
    book["times_lent"] += 1
    library["loans"].append({"code": code, "name": name, "due": due})
    return f"due {due}"


def give_back(library, code, name, date):
    find(library, code, name)
    parse_date(date)
    for loan in library["loans"]:
        if (loan["code"], loan["name"]) == (code, name):
            library["loans"].remove(loan)
            fine = fine_cents(loan["due"], date)
            return f"returned, fine {fine // 100}.{fine % 100:02}" if fine else "returned"
    raise Refused("not lent")


def reserve(library, code, name):
    book = find(library, code, name)
    if free_copies(library, code) > 0 and not book["queue"]:
        raise Refused("a copy is free")
    book["queue"].append(name)
    return f"reserved, place {len(book['queue'])}"


def overdue(library, date):
    parse_date(date)
    late = [(-days_late(loan["due"], date), loan["name"], loan["code"]) for loan in library["loans"]]
    lines = [f"{name} {code} {-days} {'day' if days == -1 else 'days'} late" for days, name, code in sorted(late) if days]
    return "\n".join(lines) or "nothing overdue"


def report(library):
    books = library["books"].values()
    ranked = sorted((-book["times_lent"], book["title"]) for book in books if book["times_lent"])
    return "\n".join(
        [
            f"books: {len(books)}",
            f"copies: {sum(book['copies'] for book in books)}",
            f"lent: {len(library['loans'])}",
            f"most lent: {ranked[0][1] if ranked else '-'}",
        ]
    )


def find(library, code, name):
    if code not in library["books"]:
        raise Refused("unknown book")
    if name not in library["members"]:
        raise Refused("unknown member")
    return library["books"][code]


def free_copies(library, code):
    return library["books"][code]["copies"] - sum(loan["code"] == code for loan in library["loans"])
