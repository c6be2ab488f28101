"""Options compared by their probability: the answer is the log-probability of every option as the reply to the question.

Invariant: the options are scored one by one after the same prompt, nothing is generated, and every score is a row of the store.
A collaboration is asked as ever: its members answer in this way.
"""

from __future__ import annotations

import asyncio
import json

from moco.core.errors import ConfigError, PoolError
from moco.core.types import Completion, Request, Usage
from moco.models.protocol import Model

LIKELIHOOD = "likelihood"
"""The kind of answer for which a request is answered like this."""
DIGITS = 6


def compares(request: Request) -> bool:
    """Whether ``request`` asks for the likelihood of options."""
    return request.spec is not None and request.spec.kind == LIKELIHOOD


def check_comparing(model: Model) -> None:
    """Raises PoolError for a model that cannot be asked like this; a collaboration's members are seen to when they are asked."""
    if "SCORE" not in model.capabilities and not asks_members(model):
        raise PoolError(
            f"'{model.name}' gives no probabilities of options",
            why="it lacks the capability SCORE",
            remedy="use a local model for it, or a task whose replies are read",
        )


def asks_members(model: object) -> bool:
    """Whether ``model`` (behind a store or not) is a collaboration, which answers by asking others."""
    return bool(getattr(getattr(model, "model", model), "asks_members", False))


async def likelihoods(model: Model, request: Request) -> Completion:
    """One JSON object: the label of each option, and the natural-log probability of its text, summed over its tokens.

    The end of the turn is not counted, as in arXiv 2109.07958. Raises PoolError for a model without SCORE, ConfigError where the
    request names no options (a method that asks in words of its own), and what the model raises.
    """
    spec = request.spec
    if spec is None or len(spec.labels) != len(spec.choices) or not spec.choices:
        raise ConfigError(
            "answers of kind 'likelihood' are options, and this request has none",
            where=model.name,
            why="a method that puts the question in words of its own cannot be compared by probabilities",
            remedy="use methods that choose among members, merge weights or combine tokens, or a task whose replies are read",
        )
    check_comparing(model)
    found = await asyncio.gather(*(model.score(request, option) for option in spec.choices))
    said = {label: round(scores.total, DIGITS) for label, scores in zip(spec.labels, found, strict=True)}
    return Completion(json.dumps(said), usage=Usage(sum(scores.read for scores in found), 0, len(found)))
