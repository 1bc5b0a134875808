"""The callers of one round, in a process of their own so that their work is not counted as the proxy's: load.py < WORK.

WORK is one JSON object on standard input; the result is one JSON object on standard output. Plain sockets, kept alive, and a body
that is built once: a caller takes well under a tenth of the time that a call takes in the proxy.
"""

import asyncio
import json
import sys
import time

# Nano-USD per token: the price of the model in the peer's own map.
INPUT_NANO_USD = 150
OUTPUT_NANO_USD = 600
CALL_TIMEOUT_SECONDS = 60
WORD = "word "


async def run(work: dict) -> dict:
    request = build_request(work)
    left = iter(range(work["calls"]))
    results = []
    started = time.perf_counter()
    await asyncio.gather(*(caller(work["port"], request, left, results) for _ in range(work["clients"])))
    seconds = time.perf_counter() - started
    answered = [result for result in results if result["status"] == 200]
    refused = [result for result in results if result["status"] == 422 and "budget_exceeded" in result["text"]]
    failed = [result for result in results if result["status"] != 200 and result not in refused]
    latencies = sorted(result["latency_us"] for result in answered)
    return {
        "calls": len(results),
        "seconds": round(seconds, 4),
        "latency_us": {"p50": percentile(latencies, 50), "p99": percentile(latencies, 99)},
        "ok": len(answered),
        "refused": len(refused),
        "failed": len(failed),
        "cost_nano_usd": sum(cost_nano_usd(result["usage"]) for result in answered),
        "first_failure": next((result["text"] for result in failed), None),
        "first_refusal": next((result["text"] for result in refused), None),
    }


async def caller(port: int, request: bytes, left, results: list) -> None:
    """Makes calls one after the other over one connection until none is left; opens another when the proxy closed it."""
    reader = writer = None
    for _ in left:
        started = time.perf_counter_ns()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
            writer.write(request)
            status, body, keep = await asyncio.wait_for(read_response(reader), CALL_TIMEOUT_SECONDS)
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError) as error:
            status, body, keep = 0, repr(error).encode(), False
        latency_us = (time.perf_counter_ns() - started) // 1000
        complete, usage = read_usage(body) if status == 200 else (True, None)
        results.append({"status": status if complete else 0, "latency_us": latency_us, "usage": usage, "text": body[-400:].decode("utf-8", "replace")})
        if not keep and writer is not None:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    keep = b"connection: close" not in head
    if b"transfer-encoding: chunked" not in head:
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        return status, await reader.readexactly(length), keep
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return status, b"".join(parts), keep


def read_usage(body: bytes) -> tuple[bool, dict | None]:
    """Whether the answer came whole, and the tokens it says it used."""
    if not body.startswith(b"data:"):
        return True, json.loads(body).get("usage")
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    counted = [line for line in lines if b'"usage":{' in line or b'"usage": {' in line]
    return lines[-1].strip() == b"[DONE]", json.loads(counted[-1])["usage"] if counted else None


def cost_nano_usd(usage: dict | None) -> int:
    return usage["prompt_tokens"] * INPUT_NANO_USD + usage["completion_tokens"] * OUTPUT_NANO_USD if usage else 0


def build_request(work: dict) -> bytes:
    body = {
        "model": work["model"],
        "messages": [{"role": "user", "content": prompt(work["prompt_bytes"])}],
        "max_tokens": work["max_tokens"],
        "stream": work["stream"],
    }
    if work["stream"]:
        body["stream_options"] = {"include_usage": True}
    text = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {work['key']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


def prompt(size_bytes: int) -> str:
    return (WORD * (size_bytes // len(WORD) + 1))[:size_bytes].strip()


def percentile(ordered: list[int], percent: int) -> int | None:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
