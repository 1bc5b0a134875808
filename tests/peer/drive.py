"""Lets another program measure the peer step by step: one JSON command a line in, one JSON answer a line out.

It ends, and the proxy with it, when its input closes. README.md lists the commands.
"""

import argparse
import json
import sys

from proxy import Children, Proxy, start_upstream
from race import DELAY_MS, race

# A budget that no round can exhaust, so that every call is reserved and settled and none refused.
AMPLE_KEY = "sk-peer-round-1000000000000000"
ROUND = {"model": "gpt-4o-mini", "clients": 8, "calls": 200, "prompt_bytes": 4000, "max_tokens": 100, "stream": True, "key": AMPLE_KEY}


def main() -> None:
    options = parse()
    with Children() as children:
        upstream = options.upstream or start_upstream(children)
        upstreams = {"gpt-4o-mini": upstream, "gpt-4o-mini-delayed": start_upstream(children, DELAY_MS)}
        proxy = Proxy(children, upstreams, options.strict, options.log)
        say({"ready": True, "start_seconds": proxy.start_seconds, "rss_mib": proxy.rss_mib()})
        for line in sys.stdin:
            answer = obey(proxy, line)
            if answer is None:
                break
            say(answer)


def obey(proxy: Proxy, line: str) -> dict | None:
    """A mistake becomes an answer, so that the other side never waits in vain."""
    try:
        command = json.loads(line)
        if command.get("quit"):
            return None
        if "round" in command:
            return proxy.round({**ROUND, **command["round"]})
        if "race" in command:
            return race(proxy, **command["race"])
        raise ValueError('a command is {"round": {…}}, {"race": {…}} or {"quit": true}')
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", help="where the model of the rounds answers (http://127.0.0.1:PORT/v1); one of our own by default")
    parser.add_argument("--strict", action="store_true", help="with the peer's fail_closed_budget_enforcement")
    parser.add_argument("--log", help="a file for what the proxy prints")
    return parser.parse_args()


if __name__ == "__main__":
    main()
