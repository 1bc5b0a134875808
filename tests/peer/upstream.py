"""A model that answers at once, or after a fixed delay, and says exactly what it used: upstream.py PORT [DELAY_MS].

It speaks the streaming dialect of OpenAI's chat completions over plain sockets, so that it costs little beside what is measured.
"""

import asyncio
import json
import sys

TOKENS_PER_EVENT = 10  # fewer events than a real model sends, which spares the proxy under test
BODY_BYTES_MAX = 4 * 1024 * 1024


async def main(port: int, delay_ms: int) -> None:
    server = await asyncio.start_server(lambda r, w: serve(r, w, delay_ms / 1000), "127.0.0.1", port, limit=BODY_BYTES_MAX)
    async with server:
        await server.serve_forever()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
            body = json.loads(await reader.readexactly(length)) if length else {}
            await asyncio.sleep(delay_seconds)
            writer.write(answer(body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def answer(body: dict) -> bytes:
    tokens = int(body.get("max_completion_tokens") or body.get("max_tokens") or 16)
    # The prompt is one word over and over, one token each (load.py); 7 tokens frame it.
    prompt_tokens = sum(len(message["content"].split()) for message in body.get("messages", [])) + 7
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}
    head = {"id": "chatcmpl-upstream", "created": 1700000000, "model": body.get("model", "")}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "word " * tokens}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        text = json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)
    head["object"] = "chat.completion.chunk"
    events = [
        {**head, "choices": [{"index": 0, "delta": {"content": "word " * min(TOKENS_PER_EVENT, tokens - at)}, "finish_reason": None}]}
        for at in range(0, tokens, TOKENS_PER_EVENT)
    ]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    events.append({**head, "choices": [], "usage": usage})
    parts = [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
