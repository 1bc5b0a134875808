"""An event loop without sockets: a wait moves the fixed clock, so `asyncio.run` works for code that only sleeps and gathers."""

import asyncio
import asyncio.base_events
import asyncio.events
from typing import Any, Callable


class Quiet:
    """A selector that nothing ever wakes; a wait passes at once on the clock of the sandbox."""

    def select(self, timeout: Any = None) -> list:
        import time
        if timeout is None:
            raise RuntimeError("the event loop waits for something that cannot happen in the sandbox")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self) -> None:
        return None


class Loop(asyncio.base_events.BaseEventLoop):
    """The loop of the sandbox."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = Quiet()

    def _process_events(self, events: list) -> None:
        return None

    def _write_to_self(self) -> None:
        return None

    def run_in_executor(self, executor: Any, function: Callable, *args: Any) -> Any:
        """No threads: the work is done on the spot."""
        future = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: Any = None) -> None:
        return None


class Policy(asyncio.events._BaseDefaultEventLoopPolicy if hasattr(asyncio.events, "_BaseDefaultEventLoopPolicy")
             else asyncio.events.BaseDefaultEventLoopPolicy):
    """Hands out loops of the sandbox."""

    _loop_factory = Loop


def install() -> None:
    """Makes every way to a loop end here."""
    setter = getattr(asyncio.events, "_set_event_loop_policy", None) or asyncio.events.set_event_loop_policy
    setter(Policy())
    for name in ("SelectorEventLoop", "EventLoop", "DefaultEventLoopPolicy"):
        if hasattr(asyncio, name):
            setattr(asyncio, name, Policy if name.endswith("Policy") else Loop)
