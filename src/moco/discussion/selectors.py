"""Choosing one of several free texts, which nobody can count: by likeness, by a member's or a judge's word, by a reward.

A text is real and stays as it was written. Equal texts are shown once; where all say the same nothing is asked. Texts are
shown in a random order of the question's own, so that place and quality are not confounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Answer, Draft, Request
from moco.discussion.budget import fit, reader_of
from moco.discussion.gathering import OnFailure, within
from moco.discussion.judging import mark_for, read_number, shuffled
from moco.discussion.quoting import Quote, block, quotes_of, safe
from moco.discussion.ranking import Ranking
from moco.discussion.similarity import medoid
from moco.discussion.template import Template
from moco.discussion.turns import Turn, take
from moco.discussion.votes import answer_of, placing
from moco.models.pool import Pool

Selector = Literal["medoid", "usc", "judge", "reward"]
"""The reply most like the others; the one a member finds most consistent with them (arXiv 2311.17311); the one a judge finds
best; the one with the highest reward."""
VERDICT_TOKENS = 32

FIELDS = ("question", "count", "replies", "verdict")
MOST_CONSISTENT = Template(
    """\
{question}

Below are {count} replies to this.
{replies}

Which reply agrees with most of the others? Judge agreement, not style. Write only: {verdict}""",
    FIELDS,
    ("replies", "verdict"),
)
BEST = Template(
    """\
{question}

Below are {count} replies to this.
{replies}

Which reply is the best one? What is right comes first, then what is complete and clear; place and length do not matter. \
Write only: {verdict}""",
    FIELDS,
    ("replies", "verdict"),
)


@dataclass(frozen=True)
class Choice:
    """Place of the chosen draft (None: the verdict could not be read), the prompt's trims, and the verdict as it was written."""

    place: int | None
    trim: dict[str, Any] | None = None
    verdict: str = ""


def distinct(drafts: Sequence[Draft]) -> list[int]:
    """Places of the drafts that say something that none before them says."""
    seen: dict[str, int] = {}
    for i, draft in enumerate(drafts):
        if draft.text.strip():
            seen.setdefault(" ".join(draft.text.split()), i)
    return list(seen.values())


async def choose_by_number(
    query: Query,
    pool: Pool,
    who: str,
    drafts: Sequence[Draft],
    words: Template = MOST_CONSISTENT,
    *,
    stage: str = "choose",
    deadline: float | None = None,
) -> Choice:
    """The draft that member ``who`` of ``pool`` names by its number when it is shown all of them; greedy, one short call."""
    order = shuffled(query, "choose", [d.text for d in drafts])
    shown = [drafts[i] for i in order]
    reader = reader_of(pool[who])
    quotes = safe(quotes_of(shown, "Reply {number}", by="place"), reader.neutral)
    texts = [q.text for q in quotes]
    mark = mark_for([query.question, *texts])

    def build(cut: list[Quote]) -> Request:
        verdict = f"{mark}: <number>"
        prompt = words.fill(question=query.question, count=str(len(cut)), replies=block(cut), verdict=verdict)
        return query.request(prompt, temperature=0, max_tokens=VERDICT_TOKENS)

    fitted = fit(reader, quotes, build)
    turn = Turn(pool[who].name, fitted.request, tuple(drafts), fitted.trim, again=fitted.again)
    said = await within(deadline, take(pool, turn, stage=stage, round=1, room=VERDICT_TOKENS), turn.member)
    number = read_number(said.text, mark, len(shown), texts)
    return Choice(None if number is None else order[number - 1], fitted.trim, said.text)


async def by_reward(query: Query, pool: Pool, drafts: Sequence[Draft]) -> list[float]:
    """What the study's reward model gives each draft; raises PoolError where there is none."""
    return [await pool.reward(query, d.text, sees=[d]) for d in drafts]


async def select(
    rule: Selector,
    query: Query,
    pool: Pool,
    drafts: Sequence[Draft],
    *,
    ranking: Ranking | None = None,
    who: str | None = None,
    judge: str | None = None,
    consistent: Template = MOST_CONSISTENT,
    best: Template = BEST,
    on_failure: OnFailure = "fail",
    deadline: float | None = None,
) -> Answer:
    """One of ``drafts``, with the reason; ties and verdicts that cannot be read go to the medoid, then to the best-ranked.

    ``who`` names the member that chooses (default: the best on dev). A judge is the study's helper where it names one, unless
    ``judge`` names a member. With ``on_failure`` drop a chooser that fails has no say.
    """
    ranked = [drafts[i] for i in sorted(range(len(drafts)), key=placing(drafts, ranking))]
    places = distinct(ranked)
    about: dict[str, Any] = {"rule": rule, "of": len(drafts), "distinct": len(places)}
    if len(places) < 2:
        return answer_of(ranked[places[0] if places else 0], reason=about)
    texts = [ranked[i] for i in places]
    if rule == "reward":
        try:
            rewards = await within(deadline, by_reward(query, pool, texts), "reward")
        except BackendError as error:
            if on_failure == "fail":
                raise
            about["rule"], about["failed"] = "medoid", str(error)
        else:
            about["rewards"] = {d.member: round(r, 6) for d, r in zip(texts, rewards, strict=True)}
            return answer_of(texts[max(range(len(texts)), key=lambda i: (round(rewards[i], 9), -i))], reason=about)
    elif rule != "medoid":
        member = who or (ranking.best(pool) if ranking is not None else pool.names[0])
        view: Pool = pool
        if rule == "judge":
            member = judge or member
            if judge is None and pool.aux.judge is not None:
                view, member = pool.helper("judge"), "judge"
        words, stage = (consistent, "choose") if rule == "usc" else (best, "judge")
        about["by"] = member
        try:
            choice = await choose_by_number(query, view, member, texts, words, stage=stage, deadline=deadline)
        except BackendError as error:
            if on_failure == "fail":
                raise
            choice = Choice(None)
            about["failed"] = str(error)
        about |= {"trim": choice.trim, "verdict": choice.verdict}
        if choice.place is not None:
            return answer_of(texts[choice.place], reason=about)
        about["rule"], about["unreadable"] = "medoid", rule
    return answer_of(ranked[medoid([d.text for d in ranked])], reason=about)
