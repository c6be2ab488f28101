"""Answer or abstain: other members comment on one answer and a judge decides (Cooperate), or a challenger tries to talk the
author out of it (Compete); arXiv 2402.00367. Nothing is revised.

A verdict is read from the judge's own reply, in words that none of the quoted texts holds; what cannot be read does not abstain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Answer, Draft, Message, Request
from moco.discussion.budget import fit, reader_of
from moco.discussion.judging import Labels, labels_for, read_verdict
from moco.discussion.minutes import Minutes
from moco.discussion.quoting import LINE, NO_ANSWER, Quote, block, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, preference, task_prompt, unanimous
from moco.discussion.votes import answer_of
from moco.models.pool import Pool
from moco.models.rendering import neutralise

DOMAINS = ("factual information", "reasoning over several steps", "common sense")
"""What the three experts of one model know (arXiv 2402.00367)."""
VERDICTS: Labels = ("HOLDS", "FAILS")
VERDICT_TOKENS = 16
COMMENT = Template(
    """\
Question: {question}
Proposed answer: {answer}
{knowledge}
Say what is right and what is wrong about the proposed answer.""",
    ("question", "answer", "knowledge"),
    ("answer",),
)
EXPERTISE = Template(
    "Write one line of background knowledge about {domain} for the question below, not an answer.\nQuestion: {question}",
    ("question", "domain"),
    ("domain",),
)
VERDICT = Template(
    """\
Question: {question}
Proposed answer: {answer}
Feedback:
{feedback}
Does the proposed answer hold? Write only {holds} or {fails}.""",
    ("question", "answer", "feedback", "holds", "fails"),
    ("answer", "feedback", "holds", "fails"),
)
CHALLENGE = Template(
    """\
Write a short passage which argues that the answer to the question is: {other}
Question: {question}""",
    ("question", "other"),
    ("other",),
)
DOUBT = Template(
    """\
A passage that may be wrong:
{passage}

{task}""",
    ("task", "question", "answer_format", "passage"),
    ("passage",),
)


@dataclass(frozen=True)
class Words:
    """The prompts, each of which a study may replace."""

    comment: Template = COMMENT
    expertise: Template = EXPERTISE
    verdict: Template = VERDICT
    challenge: Template = CHALLENGE
    doubt: Template = DOUBT
    abstention: str = "I do not know."


@dataclass
class Abstainer:
    """One query's case."""

    query: Query
    minutes: Minutes
    proposer: str
    words: Words = field(default_factory=Words)

    @property
    def pool(self) -> Pool:
        return self.minutes.pool

    async def propose(self) -> Draft:
        """The shared first answer of the proposer."""
        return await self.pool.ask(self.proposer, self.query)

    async def cooperate(self, judge: str, critics: Sequence[str], experts: bool, sampling: Mapping[str, Any]) -> Answer:
        """``critics`` comment, with ``experts`` each on a domain of its own and after a line of knowledge; ``judge`` decides."""
        answer = await self.propose()
        knowledge: list[Draft | None] = [None] * len(critics)
        if experts:
            asked = [self.words.expertise.fill(question=self.query.question, domain=d) for d in DOMAINS[: len(critics)]]
            turns = [Turn(c, self.query.request(text), draw=i) for i, (c, text) in enumerate(zip(critics, asked, strict=True))]
            knowledge = await self.minutes.ask(turns, "knowledge", 1, **sampling)
        turns = [
            self._comment(c, answer, k, i if experts else 0) for i, (c, k) in enumerate(zip(critics, knowledge, strict=True))
        ]
        said = [d for d in await self.minutes.ask(turns, "feedback", 2, **sampling) if d is not None and d.text.strip()]
        comments = [_first_line(d) for d in said] if experts else said
        turn, phrases = self._judge(judge, answer, comments)
        (verdict,) = await self.minutes.ask([turn], "judge", 3, room=VERDICT_TOKENS, temperature=0)
        read = None if verdict is None else read_verdict(verdict.text, phrases)
        about: dict[str, Any] = {"mode": "abstain", "judge": judge, "feedback": [d.member for d in said]}
        if read is None:
            about["parse_fail"] = True
        return self._decided(answer, read == 1, await self._sureness(turn, phrases), about)

    async def compete(self, challenger: str) -> Answer:
        """The challenger argues for something else; a proposer that changes its answer abstains."""
        answer = await self.propose()
        other, about = self._other(answer), {"mode": "compete", "challenger": challenger}
        prompt = self.words.challenge.fill(question=self.query.question, other=other)
        (passage,) = await self.minutes.ask([Turn(challenger, self.query.request(prompt), (answer,))], "challenge", 1)
        if passage is None or not passage.text.strip():
            return self._decided(answer, False, None, about)
        reader, (head, task) = reader_of(self.pool[self.proposer]), task_prompt(self.query)

        def build(shown: list[Quote]) -> Request:
            quoted = block(shown, line=LINE.but("{text}"))
            q = self.query
            text = self.words.doubt.fill(task=task, question=q.question, answer_format=q.answer_format, passage=quoted)
            return chat_request(q, [*head, Message("user", text)])

        fitted = fit(reader, safe(quotes_of([passage], "Passage"), reader.neutral), build)
        (again,) = await self.minutes.ask([Turn(self.proposer, fitted.request, (passage,), fitted.trim)], "revise", 2)
        if again is None or (self.query.votable and None in (answer.key, again.key)):
            return self._decided(answer, False, None, {**about, "argued_for": other, "parse_fail": True})
        held = await unanimous(self.query, [answer, again])
        return self._decided(answer, not held, None, {**about, "argued_for": other, "second": again.key})

    def _comment(self, critic: str, answer: Draft, known: Draft | None, draw: int) -> Turn:
        reader = reader_of(self.pool[critic])
        quotes = [Quote("Answer", answer.text.strip() or NO_ANSWER, (answer,))]
        if known is not None and known.text.strip():
            quotes.append(Quote("Knowledge", _first_line(known).text, (known,)))

        def build(shown: list[Quote]) -> Request:
            first, rest = block(shown[:1], line=LINE.but("{text}")), block(shown[1:])
            return self.query.request(self.words.comment.fill(question=self.query.question, answer=first, knowledge=rest))

        fitted = fit(reader, safe(quotes, reader.neutral), build)
        return Turn(critic, fitted.request, tuple(d for q in quotes for d in q.drafts), fitted.trim, draw)

    def _judge(self, judge: str, answer: Draft, comments: Sequence[Draft]) -> tuple[Turn, Labels]:
        reader = reader_of(self.pool[judge])
        quotes = [*quotes_of(comments, "{number}.", by="place"), Quote("Answer", answer.text.strip() or NO_ANSWER, (answer,))]
        shown = safe(quotes, reader.neutral)
        phrases = labels_for([self.query.question, *(q.text for q in shown)], wanted=VERDICTS)

        def build(quoted: list[Quote]) -> Request:
            parts = {"answer": block(quoted[-1:], line=LINE.but("{text}")), "feedback": block(quoted[:-1]) or "(none)"}
            text = self.words.verdict.fill(question=self.query.question, **parts, holds=phrases[0], fails=phrases[1])
            return self.query.request(text)

        fitted = fit(reader, shown, build)
        return Turn(judge, fitted.request, (answer, *comments), fitted.trim), phrases

    async def _sureness(self, turn: Turn, phrases: Labels) -> float | None:
        """How likely the judge finds that the answer holds, where it can score both verdicts; in [0, 1]."""
        if "SCORE" not in self.pool[turn.member].model.capabilities:
            return None
        try:
            return await preference(self.pool, turn, phrases, self.minutes.deadline)
        except BackendError:
            if self.minutes.on_failure == "fail":
                raise
            self.minutes.miss([turn], "score", 3)
            return None

    def _other(self, answer: Draft) -> str:
        """Something else to argue for: a random other option, or in words."""
        spec = self.query.spec
        others = [i for i, label in enumerate(spec.labels) if label != answer.key]
        if not others:
            return f"not {neutralise(' '.join((answer.key or answer.text).split())[:200])}"
        chosen = others[int(self.query.rng("challenge").integers(len(others)))]
        return f"{spec.labels[chosen]}. {spec.choices[chosen]}" if spec.choices else spec.labels[chosen]

    def _decided(self, answer: Draft, abstains: bool, sure: float | None, about: dict[str, Any]) -> Answer:
        reason = {**about, "proposed": answer.key, "abstained": abstains, **self.minutes.record}
        if abstains:
            return Answer(self.words.abstention, answer.member, sure, {**reason, "proposal": answer.text})
        return answer_of(answer, confidence=sure, reason=reason)


def _first_line(draft: Draft) -> Draft:
    return replace(draft, text=draft.text.strip().partition("\n")[0], key=None)  # the key was read from the whole


def abstention_metrics(
    correct: Sequence[bool], abstained: Sequence[bool], scores: Sequence[float] | None = None
) -> dict[str, float | None]:
    """The seven figures of arXiv 2402.00367; None where a figure has nothing to stand on.

    ``correct`` is whether the proposed answer is right, ``scores`` how strongly it speaks for abstaining. The calibration
    error is over ten bins of the scores stretched to [0, 1].
    """
    n = len(correct)
    right_said = sum(c and not a for c, a in zip(correct, abstained, strict=True))
    wrong_said = sum(not c and not a for c, a in zip(correct, abstained, strict=True))
    wrong_held = sum(not c and bool(a) for c, a in zip(correct, abstained, strict=True))
    answered, held = right_said + wrong_said, sum(map(bool, abstained))

    def ratio(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    return {
        "reliable_accuracy": ratio(right_said, answered),
        "effective_reliability": ratio(right_said - wrong_said, n),
        "abstain_accuracy": ratio(right_said + wrong_held, n),
        "abstain_precision": ratio(wrong_held, held),
        "abstain_recall": ratio(wrong_held, wrong_said + wrong_held),
        "abstain_ece": None if scores is None else _calibration(scores, correct),
        "abstain_rate": ratio(held, n),
    }


def _calibration(scores: Sequence[float], correct: Sequence[bool]) -> float | None:
    low, high = min(scores), max(scores)
    if high == low:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, right in zip(scores, correct, strict=True):
        stretched = (score - low) / (high - low)
        bins.setdefault(min(int(stretched * 10), 9), []).append((stretched, not right))
    gaps = [abs(sum(s for s, _ in part) - sum(t for _, t in part)) for part in bins.values()]
    return sum(gaps) / len(scores)
