"""Knowledge cards: members write passages that may help, a main member answers with them in view (arXiv 2305.09955).

Cards are asked for knowledge, not for an answer, and what looks like an answer is taken out: this is no hidden vote. Three
ways to choose what is shown: everything, filtered bottom-up, or fetched top-down by the main member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer, Draft, Message, Request
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.discussion.budget import Fitted, fit, reader_of
from moco.discussion.factuality import OFFICIAL, TRUTH, Claims, classified, judged
from moco.discussion.fetching import CHOOSE, MORE, WHICH, Asker
from moco.discussion.gathering import OnFailure
from moco.discussion.passages import (
    DECIDE,
    READ,
    SHORTER,
    WRITE,
    Passage,
    PassageForm,
    best,
    distinct,
    drawn,
    lexical,
    likeness,
    passage_of,
    quoted,
    shown,
    truncated,
)
from moco.discussion.quoting import LINE, Quote, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, take, take_all, task_prompt, unanimous
from moco.models.member import resolve
from moco.models.pool import Pool
from moco.models.protocol import Model


@register("knowledge_card", level="text", paper="arXiv:2305.09955", fit="optional")
class KnowledgeCard(Method):
    """Members write passages of knowledge; the best on dev answers with them in view."""

    cost = (
        "simple: m + 1 calls per query, m cards; bottom_up: m n1 + n2 (m - 1) + 1 (+1 with embed), judgements twice where "
        "members score, n2 per classifier with nli; "
        "top_down: s (2 + n1) + 1 (+1) for s passages, with n1 > 1 also n1 (n - 1) judgements each; guard +1 or +2"
    )
    fidelity = (
        "cards see the question with its options, never how an answer is written; the main member gets the untouched task last",
        "bottom_up: relevance, factuality, pruning, in the original's order; preset paper has its numbers (5, 20, 5, 100 tokens)",
        "top_down_auto: more? what kind? the card whose name is most like the reply; top_down_explicit: the card named first",
        "relevance=embed, normalise=False is the original's dot product: long vectors win, where an embedder gives such (moco's "
        "give unit vectors); default: shared words",
        "resample=paper draws with replacement as the original does; the default never shows a passage twice",
        "paper_bounds=True lets one card more than max_iter in, as the original's loop does",
        "factuality=nli: mean over classifiers of p(true), or of (p(true) - p(false) + 1) / 2; 0.5 where none could judge",
        "deviates: by default the other members judge factuality (cross_model); with nli no document stands beside a claim (the "
        "original retrieves three, the best one counts), and a claim that does not fit is refused; the published classifiers "
        "were not run, the path was on a tiny one",
        "deviates: yes and no are read as words; the original stops at any reply that holds `no` (`I know`)",
        "deviates: sentences that give a final answer are taken out (no_answers), on record",
        "deviates: a question that does not fit a card is refused by it (and dropped where allowed), never cut",
        "left out: training of cards (any checkpoint or adapter can be one) and retrieved documents",
        "tests: tests/methods/test_knowledge_card.py, tests/discussion/test_passages.py, tests/models/test_claims.py",
    )
    presets = {
        "paper": {
            "mode": "bottom_up",
            "per_card": 5,
            "relevance": "embed",
            "normalise": False,
            "relevant": 20,
            "used": 5,
            "factuality": "nli",
            "resample": "paper",
            "prune": "lm",
            "prune_tokens": 30,
            "no_answers": False,
            "style": "continue",
            "quotes": "joined",
            "temperature": 0.1,
        },
        "moco": {"passage_tokens": 512, "no_answers": False, "prune": "none"},
    }

    mode: Literal["simple", "bottom_up", "top_down_auto", "top_down_explicit"] = "simple"
    """Show all passages; the filtered ones; or let the main member ask for one after the other, by kind or by name."""
    main: str | None = None
    """Name of the member that answers; None takes the best on dev."""
    cards: list[str] | None = None
    """Names of the members that write; None takes all."""
    exclude_self: bool | None = None
    """Whether the main member writes no passage; None: only with bottom_up."""
    per_card: Annotated[int, Field(ge=1)] | None = None
    """Passages per card (n1); None: 1, with bottom_up 3."""
    relevant: Annotated[int, Field(ge=1)] = 20
    """bottom_up: passages kept after relevance (n2)."""
    used: Annotated[int, Field(ge=1)] = 5
    """bottom_up: passages shown (n3)."""
    max_iter: Annotated[int, Field(ge=1)] = 3
    """top_down: most passages that are fetched."""
    paper_bounds: bool = False
    """top_down: one passage more, as in the original's loop."""
    relevance: Literal["none", "lexical", "embed"] = "lexical"
    """bottom_up: by shared words, or by the study's embedder."""
    normalise: bool = True
    """relevance=embed: compare angles; else dot products."""
    factuality: Literal["none", "cross_model", "nli"] = "cross_model"
    """bottom_up and top_down: let the other members, or claim classifiers, judge what is true."""
    claims: Annotated[list[Claims], Field(min_length=1)] = OFFICIAL
    """factuality=nli: {model, label, against} of each classifier: its output that says true, and that against it, if any."""
    resample: Literal["distinct", "paper"] = "distinct"
    """How the shown passages are drawn by factuality: without or with replacement."""
    prune: Literal["none", "truncate", "lm"] = "truncate"
    """Long passages are cut at a sentence, or said shorter by the main member."""
    prune_tokens: Annotated[int, Field(ge=1)] = 64
    """Most tokens of a passage that is shown."""
    passage_tokens: Annotated[int, Field(ge=1)] = 100
    """Most tokens of a passage when it is written; never more than the request's."""
    no_answers: bool = True
    """Take sentences that give a final answer out of the passages."""
    style: Literal["instruct", "continue"] = "instruct"
    """Ask cards in words, or let them continue the bare question (base models do so anyway)."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """Temperature of the main member's answer; None takes the request's."""
    closed_book_guard: bool = False
    """Where the passages change the main member's answer, let it decide once more."""
    show_sources: bool = False
    """Show who wrote a passage."""
    quotes: PassageForm = "auto"
    """A line each, fenced blocks, lines where no text has a line break, or all on one line."""
    line: Annotated[str, LINE.option] = "- {text}"
    """One passage in the form of lines."""
    on_failure: OnFailure = "fail"
    """Whether a failed card fails the question, or is left out."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a card that has not written has failed."""
    write: Annotated[str, WRITE.option] = WRITE.text
    """A card's prompt: {question}, and the {passages} fetched so far."""
    read: Annotated[str, READ.option] = READ.text
    """The main member's prompt: {passages} and {task}."""
    truth: Annotated[str, TRUTH.option] = TRUTH.text
    """The prompt of factuality: {passage}, and the words {true} and {false}."""
    more: Annotated[str, MORE.option] = MORE.text
    """top_down: whether more is needed, {yes} or {no}."""
    which: Annotated[str, WHICH.option] = WHICH.text
    """top_down_auto: what kind of knowledge is needed."""
    choose: Annotated[str, CHOOSE.option] = CHOOSE.text
    """top_down_explicit: which of the {cards}."""

    decide: Annotated[str, DECIDE.option] = DECIDE.text
    """closed_book_guard: {passages}, both {answers} and {task}."""
    shorten: Annotated[str, SHORTER.option] = SHORTER.text
    """prune=lm: the {passage} to say shorter."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        for name in [*(self.cards or []), *([self.main] if self.main else [])]:
            pool[name]
        if self.mode == "bottom_up" and self.relevance == "embed":
            pool.helper("embedder")
        if self.factuality == "nli":
            self.classifiers(pool)

    def compatible(self, pool: Pool) -> None:
        """The claim classifiers are there, or are fetched now."""
        if self.factuality == "nli":
            for model in self.classifiers(pool).values():
                _ = model.fingerprint

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.main is None:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        main = self.main or (self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0])
        alone = self.mode == "bottom_up" if self.exclude_self is None else self.exclude_self
        cards = [n for n in self.cards or pool.names if not (alone and n == main)]
        about: dict[str, Any] = {"main": main, "cards": cards, "trims": [], "dropped": [], "answers_removed": 0}
        if self.mode.startswith("top_down"):
            passages = await self.fetch(query, pool, main, cards, about)
        else:
            passages = await self.written(query, pool, cards, about)
        if self.mode == "bottom_up":
            passages = await self.filtered(query, pool, passages, about)
        passages = await self.pruned(query, pool, main, passages, about)
        about["passages"] = len(passages)
        if not passages:  # the shared first answer stands
            return answer_of(await pool.ask(main, query), reason=about)
        turn = self.reading(query, pool, main, passages, READ.but(self.read))
        final = await take(pool, turn, stage="read", round=1 + len(about.get("asked", ())), temperature=self.temperature)
        if self.closed_book_guard:
            final = await self.guarded(query, pool, main, passages, final, about)
        about["trims"] += [turn.note] if turn.note else []
        return answer_of(final, reason=about)

    async def written(
        self, query: Query, pool: Pool, cards: Sequence[str], about: dict[str, Any], known: Sequence[Passage] = (), round: int = 0
    ) -> list[Passage]:
        """What the cards write, in order of the cards, then of their draws; cleaned, without blanks and repetitions.

        Every ``round`` has draws of its own: a card that brought nothing new may be asked the same again.
        """
        count = self.per_card or (3 if self.mode == "bottom_up" else 1)
        draws = range(round * count, (round + 1) * count)
        turns = [self.writing(query, pool, card, known, draw) for card in cards for draw in draws]
        most = min(self.passage_tokens, query.request().sampling.max_tokens)
        policy: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline, "room": most}
        said = await take_all(pool, turns, stage="write", round=round, **policy)
        about["dropped"] += [t.member for t, d in zip(turns, said, strict=True) if d is None]
        about["trims"] += [t.note for t in turns if t.note]
        drafts = [d for d in said if d is not None]
        found = [passage_of(query, d, answers=not self.no_answers, echo=query.question) for d in drafts]
        about["answers_removed"] += sum(p is None or p.text != d.text.strip() for p, d in zip(found, drafts, strict=True))
        return distinct([p for p in found if p is not None])

    def writing(self, query: Query, pool: Pool, card: str, known: Sequence[Passage], draw: int) -> Turn:
        """What a card is asked."""
        reader = reader_of(pool[card])
        if self.style == "continue" or not reader.chat:
            bare = query.request().but(messages=(), ids=None, text=f"{query.question}\n", spec=None)
            return Turn(card, bare.but(sampling=bare.sampling.but(stop=("\n\n",))), draw=draw)
        words = WRITE.but(self.write)

        def build(quotes: list[Quote]) -> Request:
            text = shown(quotes, self.quotes, LINE.but(self.line))
            return query.request(words.fill(question=query.question, passages=text))

        fitted = fit(reader, safe(quoted(known), reader.neutral), build)
        return Turn(card, fitted.request, tuple(p.draft for p in known), fitted.trim, draw)

    async def filtered(self, query: Query, pool: Pool, passages: list[Passage], about: dict[str, Any]) -> list[Passage]:
        """Relevance, then factuality; shown in the order in which they were written."""
        texts, order = [p.text for p in passages], {id(p): i for i, p in enumerate(passages)}
        if texts and self.relevance == "embed":
            passages = best(passages, await likeness(pool, query.question, texts, normalise=self.normalise), self.relevant)
        elif self.relevance == "lexical":
            passages = best(passages, lexical(query.question, texts), self.relevant)
        passages = await self.true_ones(query, pool, passages, self.used, about) if self.factuality != "none" else passages
        return sorted(passages[: self.used], key=lambda p: order[id(p)])

    async def true_ones(
        self, query: Query, pool: Pool, passages: list[Passage], count: int, about: dict[str, Any]
    ) -> list[Passage]:
        """``count`` passages, drawn by how true they are found."""
        if not passages:
            return passages
        patience: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        if self.factuality == "nli":
            scores, lost = await classified(pool, passages, self.classifiers(pool), **patience)
        else:
            scores, cut, lost = await judged(query, pool, passages, TRUTH.but(self.truth), **patience)
            about["trims"] += cut
        about["dropped"] += lost
        about.setdefault("factuality", []).append([[p.draft.member, round(s, 6)] for p, s in zip(passages, scores, strict=True)])
        rng = query.rng(f"factuality.{len(about['factuality'])}")
        return [passages[i] for i in drawn(scores, count, rng, replace=self.resample == "paper")]

    def classifiers(self, pool: Pool) -> dict[str, Model]:
        """The claim classifiers by name; nothing is loaded yet. Raises PoolError for a folder that holds none."""
        found: dict[str, Model] = {}
        for number, entry in enumerate(self.claims, 1):
            options: dict[str, Any] = {"label": entry.label, "against": entry.against}
            found[f"claims.{number}"] = resolve(entry.model, pool.store, name=f"claims.{number}", backend="claims", **options)
        return found

    async def pruned(self, query: Query, pool: Pool, main: str, passages: list[Passage], about: dict[str, Any]) -> list[Passage]:
        """The passages, none longer than allowed."""
        if self.prune == "lm":
            length = reader_of(pool[main]).length
            long = [p for p in passages if length(p.text) > self.prune_tokens]
            turns = [self.reading(query, pool, main, [p], SHORTER.but(self.shorten)) for p in long]
            about["trims"] += [t.note for t in turns if t.note]
            said = await take_all(pool, turns, stage="shorten", round=1, room=self.prune_tokens)
            short = {id(p): d for p, d in zip(long, said, strict=True)}
            passages = [
                Passage(d.text.strip(), p.draft) if (d := short.get(id(p))) is not None and d.text.strip() else p
                for p in passages
            ]
        return passages if self.prune == "none" else [truncated(p, pool, main, self.prune_tokens) for p in passages]

    async def fetch(self, query: Query, pool: Pool, main: str, cards: list[str], about: dict[str, Any]) -> list[Passage]:
        """Passage after passage, as long as the main member asks for more; the newest stands first."""
        passages: list[Passage] = []
        words = (MORE.but(self.more), WHICH.but(self.which), CHOOSE.but(self.choose))
        asker = Asker(query, pool, main, cards, self.mode == "top_down_explicit", *words)
        about["asked"] = asker.record
        for step in range(self.max_iter + self.paper_bounds if cards else 0):
            card = await asker.next(passages, step)
            if card is None:
                break
            found = await self.written(query, pool, [card], about, passages, step)
            if len(found) > 1 and self.factuality != "none":
                found = await self.true_ones(query, pool, found, 1, about)
            passages = distinct([*found[:1], *passages])
        about["trims"] += asker.trims
        return passages

    def reading(
        self, query: Query, pool: Pool, who: str, passages: Sequence[Passage], words: Template, answers: Sequence[Draft] = ()
    ) -> Turn:
        """What ``who`` is asked with the passages (and answers) in view; the task stands last, as it was put."""
        reader, (head, task) = reader_of(pool[who]), task_prompt(query)
        common = {"task": task, "question": query.question, "answer_format": query.answer_format}

        def build(quotes: list[Quote]) -> Request:
            seen, said = quotes[: len(passages)], quotes[len(passages) :]
            values = {**common, "passages": shown(seen, self.quotes, LINE.but(self.line))}
            values |= {"answers": shown(said, "auto", LINE), "passage": shown(seen, "auto", LINE.but("{text}"))}
            text = words.fill(**{name: values[name] for name in words.fields})
            return chat_request(query, [*head, Message("user", text)])

        quotes = [*quoted(passages, self.show_sources), *quotes_of(answers, "Answer {number}", by="place")]
        fitted: Fitted = fit(reader, safe(quotes, reader.neutral), build)
        return Turn(who, fitted.request, (*(p.draft for p in passages), *answers), fitted.trim)

    async def guarded(
        self, query: Query, pool: Pool, main: str, passages: list[Passage], final: Draft, about: dict[str, Any]
    ) -> Draft:
        """The answer with passages, or what the main member decides where it differs from its own."""
        first = await pool.ask(main, query)
        about["closed_book"], about["open_book"] = first.key, final.key
        if await unanimous(query, [first, final]):
            return final
        turn = self.reading(query, pool, main, passages, DECIDE.but(self.decide), [first, final])
        about["trims"] += [turn.note] if turn.note else []
        return replace(await take(pool, turn, stage="decide", round=2 + len(about.get("asked", ()))), index=final.index)
