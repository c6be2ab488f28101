"""Who was asked what, and who saw whose text: the record of one answer, in the order of asking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from moco.core.types import Call, Completion, Key, Request, Usage


def shown(request: Request) -> str:
    """The prompt as a person reads it in a transcript."""
    if request.messages:
        body = "\n\n".join(m.content if m.role == "user" else f"[{m.role}] {m.content}" for m in request.messages)
    else:
        body = request.text if request.text is not None else " ".join(map(str, request.ids or ()))
    return body + (f"\n\n[assistant begins] {request.prefix}" if request.prefix else "")


class SessionRecord:
    """Takes down the answers of one session with ``member`` as calls; ``key_of`` reads an answer's key from its text."""

    def __init__(self, recorder: Recorder, member: str, draw: int, key_of: Callable[[str], Key | None]) -> None:
        self._recorder, self._member, self._draw, self._key_of = recorder, member, draw, key_of
        self._call: Call | None = None

    def begin(self, request: Request) -> None:
        self._call = self._recorder.open(self._member, request, self._draw)

    def end(self, completion: Completion) -> None:
        if self._call is not None:
            self._recorder.close(self._call, completion, self._key_of(completion.text))
            self._call = None


class Recorder:
    """Collects the calls of one answer. Ids read ``stage.round.agent.draw``; a repeated one gets a number."""

    def __init__(self) -> None:
        self._open: list[Call] = []
        self._done: dict[str, Call] = {}
        self._ids: Counter[str] = Counter()

    def open(self, member: str, request: Request, draw: int) -> Call:
        name = f"{request.tag.stage}.{request.tag.round}.{member}.{draw}"
        self._ids[name] += 1
        if self._ids[name] > 1:
            name = f"{name}.{self._ids[name]}"
        call = Call(name, member, shown(request), "", request.tag, request.draw, finish="error")
        self._open.append(call)
        return call

    def close(self, call: Call, completion: Completion, key: Key | None) -> None:
        self._done[call.id] = Call(
            call.id,
            call.member,
            call.prompt,
            completion.text,
            call.tag,
            call.draw,
            key,
            completion.finish,
            completion.usage,
            calls=completion.calls,
        )

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call; one that never came back has finish ``error`` and no text."""
        return tuple(self._done.get(c.id, c) for c in self._open)

    @property
    def usage(self) -> Usage:
        """What the answer cost in all, as from an empty store."""
        total = Usage()
        for call in self._done.values():
            total = total + call.usage
        return total
