"""The published GenFuser checkpoints (arXiv 2306.02561), and the one source string that they work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moco.core.types import Draft, Request, Sampling
from moco.discussion.budget import reader_of
from moco.models.member import resolve
from moco.models.pool import Pool
from moco.models.protocol import Model

TOKENS = 128
"""Tokens of a candidate that the published fuser reads, and that it writes at most."""
END = "</s>"
CLOSING = "Summarize candidates into a better one for the given instruction:"


def fuse_source(task: str, candidates: Sequence[str], given: str = "", cut: Callable[[str], str] = lambda text: text) -> str:
    """Instruction, input and numbered candidates with their sentinels, joined by the end of a sentence.

    ``given`` is the input that the instruction ``task`` is about; ``cut`` shortens a candidate. The end mark in a text is
    data and is broken.
    """
    safe = [text.replace(END, "< /s>") for text in (task, given, *candidates)]
    parts = [f"Instruction: {safe[0]}", f"Input: {safe[1]}"]
    parts += [f"Candidate {i}: <extra_id_{i}>:{cut(text)}" for i, text in enumerate(safe[2:])]
    return END.join([*parts, CLOSING])


def cut_end(text: str, limit: int, length: Callable[[str], int]) -> str:
    """``text``, or as much of its beginning as ``limit`` tokens hold, followed by three dots, as the checkpoints were trained."""
    if length(text) <= limit:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if length(text[:kept]) <= limit else (low, kept - 1)
    return text[:low] + "..."


def fuser_of(pool: Pool, reference: str) -> Model:
    """The checkpoint that fuses; nothing is loaded yet. Raises PoolError for a folder that holds none."""
    return resolve(reference, pool.store, name="gen_fuser", backend="seq2seq")


async def generated(pool: Pool, reference: str, question: str, top: Sequence[Draft]) -> Draft:
    """What the checkpoint ``reference`` (folder or hub id) makes of the candidates ``top``, the best first; beam search."""
    view = pool.beside(fuser_of(pool, reference), "gen_fuser")
    length = reader_of(view[0]).length
    source = fuse_source(question, [d.text for d in top], cut=lambda text: cut_end(text, TOKENS, length))
    asked = Request(text=source, sampling=Sampling(temperature=0, max_tokens=TOKENS))
    return await view.ask(0, asked, stage="fuse", round=2, sees=top)
