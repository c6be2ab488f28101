"""Diversity: how far a reply lies from the reference replies to the same question.

The score is 1 minus the mean cosine between the embedding of the reply and those of the references (arXiv 2510.22954 compares
replies this way), with padding left out of every pool. Without an embedder the hashed default stands in, which compares wording
and is named so in the rule. Beside it, free of any model: distinct n-grams and the overlap with the references (self-BLEU).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from moco.core.errors import ConfigError
from moco.models.embedding_hashed import HashedEmbedder
from moco.tasks.graders.base import Grade, visible
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.graders.kinds import Unvoted
from moco.tasks.graders.short_text import normalise

HASHED_RULE = "hashed n-grams"
"""The rule of grades for which the study named no embedder."""
ORDERS = 4
"""Longest n-gram whose overlap is counted."""


class Diversity(Unvoted):
    """The kind as scoring uses it; a reply is not voted on."""

    name = "diversity"
    needs: tuple[str, ...] = ()

    def check(self, item: Item) -> None:
        """Raises ConfigError for an item without references."""
        if not any(gold.strip() for gold in item.golds):
            raise ConfigError(
                "there are no reference replies to be different from",
                where="answer",
                remedy="give the record a list of references in 'answer'",
            )

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade:
        """Distance to the references in [0, 2]; ``metrics``: distinct_1, distinct_2, self_bleu. An empty reply scores 0.

        Raises ConfigError for an item without references or a helper without EMBED, and what the embedder raises.
        """
        self.check(item)
        references = [gold for gold in item.golds if gold.strip()]
        said = visible(text).strip()
        if not said:
            return Grade(0.0, None, "none", False)
        model: Any = helpers.embedder if helpers.embedder is not None else HashedEmbedder()
        if "EMBED" not in model.capabilities:
            raise ConfigError(
                f"'{model.name}' cannot embed texts",
                where="aux.embedder",
                why="it lacks the capability EMBED",
                remedy="name a sentence encoder, or hashed",
            )
        vectors = (await model.embed([said, *references])).astype("float64")
        score = 1.0 - float((vectors[1:] @ vectors[0]).mean())
        words = normalise(said).split()
        metrics = {
            "distinct_1": distinct(words, 1),
            "distinct_2": distinct(words, 2),
            "self_bleu": bleu(words, [normalise(reference).split() for reference in references]),
        }
        rule = HASHED_RULE if isinstance(getattr(model, "model", model), HashedEmbedder) else "embedding"
        return Grade(score, None, rule, True, metrics)


def grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def distinct(words: Sequence[str], n: int) -> float:
    """Share of the n-grams that are different ones (arXiv 1510.03055); 1 for a text too short to repeat one."""
    found = grams(words, n)
    total = sum(found.values())
    return len(found) / total if total else 1.0


def bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Overlap of ``words`` with the references in [0, 1]: BLEU up to 4-grams, counts above unigrams smoothed by one.

    Self-BLEU (arXiv 1802.01886) with one reply in the place of the hypothesis; more is less diverse. Orders longer than the text
    are left out.
    """
    if not words or not references:
        return 0.0
    logs = []
    for n in range(1, min(ORDERS, len(words)) + 1):
        own = grams(words, n)
        known: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            known |= grams(reference, n)
        hits, total = sum((own & known).values()), sum(own.values())
        if n == 1 and not hits:
            return 0.0
        logs.append(math.log(hits / total if n == 1 else (hits + 1) / (total + 1)))
    nearest = min((len(reference) for reference in references), key=lambda size: (abs(size - len(words)), size))
    return math.exp(min(0.0, 1 - nearest / len(words)) + sum(logs) / len(logs))


KIND = Diversity()
