"""A public board that agents read and write, and how replies that steer it are read (arXiv 2507.01701).

Entries are data: they are quoted, and what steers is read only from behind a mark that stands in none of them, or from a bare
reply that none of them holds. The record keeps every entry with its id; the public view may hide or replace texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moco.core.types import Draft
from moco.discussion.judging import bare
from moco.discussion.quoting import Quote
from moco.models.rendering import neutralise

Parse = Callable[[str], Any]
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]*\d)")
_FENCED = re.compile(r"^```\w*\s*\n(.*?)\n?```$", re.DOTALL)
_EXPERT = re.compile(r"^[\W\d]*([^:.!?\n]{2,60}?)\s*[:–-]\s+(\S.*)$")


@dataclass(frozen=True)
class Entry:
    """One message: ``hidden`` says who removed it from the public view, ``channel`` is ``public`` or a private pair."""

    id: int
    author: str
    role: str
    round: int
    text: str
    draft: Draft
    channel: str = "public"
    hidden: str = ""


@dataclass
class Board:
    """The entries in order of their ids, which never change."""

    entries: list[Entry] = field(default_factory=list)

    def post(self, author: str, role: str, round: int, draft: Draft, channel: str = "public") -> Entry | None:
        """A new entry; None for a message that says nothing."""
        if not draft.text.strip():
            return None
        entry = Entry(len(self.entries) + 1, author, role, round, draft.text.strip(), draft, channel)
        self.entries.append(entry)
        return entry

    @property
    def public(self) -> list[Entry]:
        """What everybody sees."""
        return [e for e in self.entries if e.channel == "public" and not e.hidden]

    def hide(self, ids: Sequence[int], by: str) -> None:
        """Take entries out of the public view; where nothing would be left, the plans and each author's last entry stay."""
        public = self.public
        gone = {e.id for e in public} & set(ids)
        if gone == {e.id for e in public}:
            last = {e.author: e.id for e in public}
            gone -= {*last.values(), *(e.id for e in public if e.role == "planner")}
        self.entries = [replace(e, hidden=by) if e.id in gone else e for e in self.entries]

    def rewrite(self, id: int, draft: Draft) -> None:
        """Another text in the public view under the same id; the old one stays on record in a channel of its own."""
        if not draft.text.strip():
            return
        old = self.entries[id - 1]
        self.entries[id - 1] = replace(old, text=draft.text.strip(), draft=draft)
        self.entries.append(replace(old, id=len(self.entries) + 1, channel=f"before {id}"))

    def quotes(self, entries: Sequence[Entry] | None = None) -> list[Quote]:
        """The public view as quotes: number, role and round, never a model's name."""
        seen = self.public if entries is None else entries
        return [Quote(f"[{e.id}] {e.role}, round {e.round}", e.text, (e.draft,)) for e in seen]

    @property
    def record(self) -> list[dict[str, Any]]:
        """What a reason keeps of it; texts are in the transcript."""
        return [
            {"id": e.id, "author": e.author, "role": e.role, "round": e.round, "channel": e.channel, "hidden": e.hidden}
            for e in self.entries
        ]


def steering(reply: str, mark: str, texts: Sequence[str]) -> str | None:
    """The part of ``reply`` that steers: what stands behind the last ``mark``, else a bare reply; None for anything else.

    Bare is JSON, or one line; it counts only where no text of ``texts`` holds that JSON, or has that line.
    """
    _, marked, tail = reply.rpartition(f"{mark}:")
    if marked:
        return tail.strip()
    whole = reply.strip()
    if fenced := _FENCED.match(whole):
        whole = fenced.group(1).strip()
    core = bare(whole)
    if whole[:1] in "[{":
        return whole if whole and not any(core in bare(t) for t in texts) else None
    held = any(bare(line) == core for t in texts for line in t.splitlines())
    return whole if len(whole.splitlines()) == 1 and not held else None


def read_names(said: str, known: Sequence[str]) -> list[str]:
    """The names of ``known`` in a JSON list or in words, in the order of ``known``; unknown ones are ignored."""
    value = _json(said)
    if isinstance(value, dict):
        value = [x for part in value.values() for x in (part if isinstance(part, list) else [part])]
    if isinstance(value, list):
        wanted = {bare(str(x)) for x in value}
        return [name for name in known if bare(name) in wanted]
    return [name for name in known if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said, re.IGNORECASE)]


def read_numbers(said: str, allowed: Sequence[int]) -> list[int]:
    """The numbers of ``allowed`` in JSON or in words, in the order in which they are said."""
    value = _json(said)
    if isinstance(value, dict) and "action" in value:
        value = value["action"]
    found = [int(n) for n in _NUMBER.findall(json.dumps(value) if value is not None else said)]
    return [n for n in found if n in set(allowed)]


def read_pairs(said: str, allowed: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of different numbers of ``allowed``, two by two as they are said."""
    numbers = read_numbers(said, allowed)
    return [(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=False) if a != b]


def read_experts(reply: str, count: int) -> list[tuple[str, str]]:
    """At most ``count`` (name, expertise) from a JSON list or from lines ``name: expertise``; empty where there are none."""
    whole = reply.strip()
    if fenced := _FENCED.match(whole):
        whole = fenced.group(1)
    value = _json(whole)
    found: list[tuple[str, str]] = []
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                words = [str(v) for v in item.values() if isinstance(v, str)]
                found += [(words[0], words[1] if len(words) > 1 else "")] if words else []
            elif isinstance(item, str):
                found.append((item, ""))
    else:
        found = [(m.group(1), m.group(2)) for line in whole.splitlines() if (m := _EXPERT.match(line))]
    named: dict[str, tuple[str, str]] = {}
    for name, what in found:
        clean = neutralise(" ".join(name.split())[:60])
        named.setdefault(clean.casefold(), (clean, neutralise(" ".join(what.split())[:200])))
    return [pair for key, pair in named.items() if key][:count]


def _json(text: str) -> Any:
    """The JSON value that ``text`` is or holds between its outermost brackets; None where there is none."""
    for opening, closing in (("[", "]"), ("{", "}")):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end and (start == 0 or opening == "[" or "[" not in text[:start]):
            try:
                return json.loads(text[start : end + 1])
            except ValueError:
                continue
    return None
