"""A question inside a routing prompt: data, whatever it says.

What the prompt says itself must not be said by a question in its place. A plain question is shown as it is, so that small
routers see the wording they were trained on; one that repeats words of the prompt stands between fences of a mark of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moco.discussion.quoting import Quote, block

_HOLE = "\0"


def fixed_words(prompt: Callable[[str], str]) -> list[str]:
    """What a prompt says itself, piece by piece, in lower case: ``prompt`` puts a text into its places."""
    pieces = (piece.strip() for line in prompt(_HOLE).casefold().split("\n") for piece in line.split(_HOLE))
    return [piece for piece in pieces if any(c.isalpha() for c in piece)]


def shown_question(question: str, words: Sequence[str], neutral: Callable[[str], str], *, always: bool = False) -> str:
    """``question`` with control tokens broken (``neutral`` is the reader's own), fenced where it holds one of ``words``.

    The fence depends on the question alone; ``always`` fences every question.
    """
    text, said = neutral(question), " ".join(question.casefold().split())
    if not always and not any(" ".join(word.split()) in said for word in words):
        return text
    return block([Quote("query", text, ())], "fenced")
