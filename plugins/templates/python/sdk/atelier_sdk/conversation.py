"""A conversation with a model, with one repair turn for replies that do not parse. A model is a function from (class, messages, most
output tokens) to an `Answer`: `host.model` is one, `Scripted` another for tests."""

from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

T = TypeVar("T")


class Unreadable(Exception):
    """Raised by a `read` function: what is wrong with a reply, in words for the model."""


class GiveUp(Exception):
    """Ends the export with one of the contract's failures: `refused` with the host's refusal, `unusable-reply` or `impossible` with words."""

    def __init__(self, kind: str, value: Any) -> None:
        super().__init__(kind, value)
        self.kind, self.value = kind, value


@dataclass
class Answer:
    """What came back."""
    text: str
    cut: bool = False
    """Whether it was cut off at the output limit."""


@dataclass
class Message:
    """One turn."""
    role: str
    """`system`, `user` or `assistant`."""
    text: str
    cache_prefix: bool = False
    """Whether a provider may cache up to here."""


class Conversation:
    """A conversation that grows turn by turn."""

    def __init__(self, model: Callable[[str, list[Message], int], Answer], model_class: str, max_output_tokens: int, rules: str) -> None:
        """Begins with the rules. They are the same for every call of a kind, so a provider may cache them."""
        self._model, self._class, self._most = model, model_class, max_output_tokens
        self._messages = [Message("system", rules, True)]

    def say(self, text: str) -> Answer:
        """Says something and returns the answer."""
        self._messages.append(Message("user", text))
        answer = self._model(self._class, list(self._messages), self._most)
        self._messages.append(Message("assistant", answer.text))
        return answer

    def ask(self, text: str, read: Callable[[str], T]) -> T:
        """Says something and reads the answer; one for which `read` raises `Unreadable` is sent back once, with what is wrong."""
        answer = self.say(text)
        try:
            return read(answer.text)
        except Unreadable as problem:
            cut = " (the reply was cut off: be briefer)" if answer.cut else ""
            again = self.say(f"That can't be used:\n{problem}{cut}\n\nSend the whole reply again, mended, in the format asked for.")
        try:
            return read(again.text)
        except Unreadable as problem:
            raise GiveUp("unusable-reply", str(problem)) from None


@dataclass
class Scripted:
    """A model that says what a test tells it to, and remembers what it was asked."""
    replies: list[str]
    requests: list[list[Message]] = field(default_factory=list)

    def __call__(self, model_class: str, messages: list[Message], most: int) -> Answer:
        self.requests.append(messages)
        if not self.replies:
            raise GiveUp("refused", "the script is over")
        return Answer(self.replies.pop(0))
