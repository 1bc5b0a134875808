"""The host's imports, in the SDK's terms. The names of the contract come from the bindings that the build makes: `wit_world`."""

from typing import Any, Callable, TypeVar

from componentize_py_types import Err
from wit_world.imports import llm, types

from atelier_sdk.conversation import Answer, GiveUp, Message

T = TypeVar("T")
_ROLES = {"system": llm.Role.SYSTEM, "user": llm.Role.USER, "assistant": llm.Role.ASSISTANT}
_FAILURES = {"refused": types.Failure_Refused, "unusable-reply": types.Failure_UnusableReply, "impossible": types.Failure_Impossible}


def or_give_up(call: Callable[..., T], *arguments: Any) -> T:
    """Calls one of the host's imports; its refusal becomes the failure that the export gives up with."""
    try:
        return call(*arguments)
    except Err as refused:
        raise GiveUp("refused", refused.value) from None


def model(model_class: str, messages: list[Message], most: int) -> Answer:
    """The host's `llm.complete`."""
    turns = [llm.Message(_ROLES[message.role], message.text, message.cache_prefix) for message in messages]
    reply = or_give_up(llm.complete, llm.Request(model_class, turns, most, []))
    return Answer(reply.text, reply.finish == llm.Finish.LENGTH)


def export(function: Callable[..., T]) -> Callable[..., T]:
    """An export that may give up."""

    def called(*arguments: Any) -> T:
        try:
            return function(*arguments)
        except GiveUp as given_up:
            raise Err(_FAILURES[given_up.kind](given_up.value)) from None

    return called
