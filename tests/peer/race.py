"""Races calls for a budget that holds only a few of them, and says how far the peer's spend goes beyond it. Used by drive.py.

The cost of a call is exact: the model says what it used, and that times the price is what a provider would bill.
"""

import itertools
import json
import time

from load import cost_nano_usd, prompt
from proxy import Proxy
from upstream import answer

# Long beside the milliseconds that admit a call, so that those that are admitted run at the same time.
DELAY_MS = 200
PROMPT_BYTES = 1000
MAX_TOKENS = 500
CALLS_MAX = 1000
SETTLE_SECONDS_MAX = 15

_numbers = itertools.count()


def race(proxy: Proxy, calls: int = 50, fits: float = 3) -> dict:
    """`fits` is how many calls the budget pays for, fractions too. The peer holds a budget in USD as a float."""
    if not 0 < calls <= CALLS_MAX or fits <= 0:
        raise ValueError(f"a race has 1 to {CALLS_MAX} calls and a budget above zero")
    budget = round(fits * call_cost_nano_usd())
    key = f"sk-peer-race{next(_numbers)}-{budget}"  # a key that the proxy has not seen: a fresh budget
    work = {"model": "gpt-4o-mini-delayed", "prompt_bytes": PROMPT_BYTES, "max_tokens": MAX_TOKENS, "stream": True}
    result = proxy.round({**work, "clients": calls, "calls": calls, "key": key})
    spent = result["cost_nano_usd"]
    return {
        "budget": budget,
        "spent": spent,
        "booked": settled_spend_nano_usd(proxy, key),
        "answered": result["ok"],
        "refused": result["refused"],
        "failed": result["failed"],
        "overshoot_percent": round(max(0, spent - budget) * 100 / budget, 1),
        "seconds": result["seconds"],
    }


def call_cost_nano_usd() -> int:
    asked = {"messages": [{"content": prompt(PROMPT_BYTES)}], "max_tokens": MAX_TOKENS}
    return cost_nano_usd(json.loads(answer(asked).partition(b"\r\n\r\n")[2])["usage"])


def settled_spend_nano_usd(proxy: Proxy, key: str) -> int:
    """What the proxy booked on the key, once that has stood still for a second."""
    value = proxy.spend_nano_usd(key)
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        time.sleep(1)
        before, value = value, proxy.spend_nano_usd(key)
        if before == value:
            break
    return value
