"""The pool: an ordered set of named members, and, bound to a query, the way a method asks them.

A bound pool knows seed, draw, sampling and transcript of its query; a method sees none of that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from moco.core.builders import BUILDERS
from moco.core.errors import BackendError, ConfigError, PoolError, Transient, did_you_mean
from moco.core.query import Query
from moco.core.types import Completion, Draft, Request, Sampling, Tag, Usage, messages_of
from moco.models.cached import CachedModel
from moco.models.member import Member, build, build_helper, spec_of
from moco.models.protocol import Model, TokenScores, Vectors
from moco.models.session import Session
from moco.models.session_stateless import open_session
from moco.models.store import Store, default_home
from moco.models.transcript import Recorder, SessionRecord, shown

MemberRef = Member | str | int
_DEFAULT_STORE: list[Store] = []


def default_store() -> Store:
    """The store of pools that name none: ``cache.sqlite`` under the home folder, opened once."""
    if not _DEFAULT_STORE:
        _DEFAULT_STORE.append(Store(default_home() / "cache.sqlite"))
    return _DEFAULT_STORE[0]


@dataclass(frozen=True)
class Aux:
    """Helpers that are not members; None where the study names none."""

    judge: Model | None = None
    reward: Model | None = None
    embedder: Model | None = None


class Pool:
    """Members in order. ``Pool(["playground/alpha", model, {"name": ..., "model": ...}])``.

    Raises ConfigError for an unknown reference, an unknown key or two members of one name.
    """

    def __init__(self, members: Iterable[Any], *, store: Store | None = None, aux: Mapping[str, Any] | None = None) -> None:
        if isinstance(members, str | Mapping) or not isinstance(members, Iterable):
            given = repr(members) if isinstance(members, str) else f"a {type(members).__name__}"
            remedy = f"write Pool([{given}])" if isinstance(members, str) else "write Pool([...]), with one entry per member"
            raise ConfigError(f"the members are {given}, not a list", where="pool", remedy=remedy)
        self.store = store if store is not None else default_store()
        specs = [spec_of(entry) for entry in members]
        if not specs:
            raise ConfigError("the pool is empty", where="pool", remedy="name at least one member")
        built = [build(spec, i, self.store) for i, spec in enumerate(specs)]
        self.members = tuple(_named(built, {i for i, s in enumerate(specs) if s.name}))
        helpers = {role: build_helper(role, entry, self.store).model for role, entry in (aux or {}).items()}
        self.aux = Aux(**helpers)
        self._query: Query | None = None
        self._recorder: Recorder | None = None
        self._replicates: dict[str, int] | None = None
        self._roles: dict[str, str] = {}

    # what it is

    def __repr__(self) -> str:
        helpers = [f"{role}={model.name}" for role, model in vars(self.aux).items() if model is not None]
        return f"Pool([{', '.join(self.names)}]{''.join(f', {h}' for h in helpers)})"

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __getitem__(self, which: MemberRef) -> Member:
        if isinstance(which, Member):
            return self[which.name]
        if isinstance(which, int):
            return self.members[which]
        for member in self.members:
            if member.name == which:
                return member
        raise ConfigError(f"no member '{which}' in the pool", remedy=did_you_mean(which, self.names))

    @property
    def names(self) -> list[str]:
        return [m.name for m in self.members]

    @property
    def sampling(self) -> Sampling:
        """The sampling members are asked with unless a call says otherwise."""
        return self._query.request().sampling if self._query is not None else Sampling()

    @property
    def cast(self) -> dict[str, str]:
        """Roles that the method's config gives to members, by name."""
        return dict(self._roles)

    def role(self, name: str) -> Member:
        """The member that plays ``name``; raises PoolError if nobody does."""
        found = self.plays(name)
        if found is None:
            remedy = f"write roles: {{{name}: {self.names[0]}}} at the method"
            raise PoolError(f"no member plays the role '{name}'", remedy=remedy)
        return found

    def plays(self, name: str) -> Member | None:
        """Who plays ``name``: as the method's config says, else the entry with that role, else None."""
        if name in self._roles:
            return self[self._roles[name]]
        return next((member for member in self.members if member.role == name), None)

    def replicate(self, member: Member) -> int:
        """How many earlier entries are the same model: r-th copies are independent samples."""
        if self._replicates is None:
            seen: Counter[str] = Counter()
            numbers = {}
            for m in self.members:
                numbers[m.name] = seen[m.model.fingerprint]
                seen[m.model.fingerprint] += 1
            self._replicates = numbers
        return self._replicates[member.name]

    @property
    def fingerprint(self) -> list[Any]:
        """What of the pool decides an answer: members in order, their names, descriptions, roles and costs, and the helpers."""
        members: list[Any] = [[m.name, m.model.fingerprint, m.description, m.role, m.cost] for m in self.members]
        helpers = [[name, model.fingerprint] for name, model in vars(self.aux).items() if model is not None]
        return [*members, sorted(self._roles.items()), *([helpers] if helpers else [])]

    # views

    def only(self, which: Iterable[MemberRef]) -> Pool:
        """A view with just these members, in the given order; copies keep their replicate numbers."""
        view = self._view()
        chosen = [self[w] for w in which]
        view._replicates = {m.name: self.replicate(m) for m in self.members}
        view.members = tuple(replace(m, index=i) for i, m in enumerate(chosen))
        return view

    def beside(self, model: Model, name: str) -> Pool:
        """A view whose only member is ``model``, called ``name``: a model that is no member, asked and recorded like one."""
        view = self._view()
        view._replicates, view.members = None, (Member(name, model),)
        return view

    def helper(self, name: Literal["judge", "reward", "embedder"]) -> Pool:
        """A view whose only member is that helper; raises PoolError where the study names none."""
        model: Model | None = getattr(self.aux, name)
        if model is None:
            raise PoolError(f"there is no helper '{name}'", remedy=f"name one in the study: aux: {{{name}: MODEL}}")
        return self.beside(model, name)

    def with_roles(self, roles: Mapping[str, str]) -> Pool:
        """A view in which ``roles`` (role to member name) are cast; raises ConfigError for an unknown member."""
        view = self._view()
        view._roles = {**self._roles, **{role: self[name].name for role, name in roles.items()}}
        return view

    def bind(self, query: Query, recorder: Recorder) -> Pool:
        """The view a method's ``answer`` gets."""
        view = self._view()
        view._query, view._recorder = query, recorder
        return view

    def _view(self) -> Pool:
        view = object.__new__(Pool)
        view.__dict__.update(self.__dict__)
        return view

    # asking

    async def ask(
        self,
        member: MemberRef,
        query: Query | Request | str,
        *,
        draw: int = 0,
        prefix: str | None = None,
        tag: Tag | None = None,
        stage: str = "answer",
        round: int = 0,
        sees: Sequence[Draft] = (),
        **sampling: Any,
    ) -> Draft:
        """Ask one member. A ``str`` is a prompt in place of the task's; ``sampling`` options override the query's.

        Raises BackendError when the member cannot answer.
        """
        who = self[member]
        if tag is None:
            tag = Tag(stage, round, who.name, tuple(d.call for d in sees if d.call))
        about, request = self._asked(who, query, draw, prefix, tag, sampling)
        note = self._recorder.open(who.name, request, draw) if self._recorder is not None else None
        completion = await who.model.generate(request)
        key = about.extract(completion.text)
        if self._recorder is not None and note is not None:
            self._recorder.close(note, completion, key)
        return Draft(who.name, draw, completion.text, key, completion, call=note.id if note else "", index=who.index)

    async def open(
        self,
        member: MemberRef,
        query: Query | Request | str | None = None,
        *,
        draw: int = 0,
        prefix: str | None = None,
        tag: Tag | None = None,
        stage: str = "answer",
        round: int = 0,
        sees: Sequence[Draft] = (),
        **sampling: Any,
    ) -> Session:
        """A session with one member (``async with await pool.open(...) as s``), prompted as ``ask`` would; default: the query.

        Each answer it writes is a call of the transcript, with its text and cost, when it closes or reopens; ``reopen`` takes
        what ``ask`` takes as query. Raises PoolError for a member that cannot continue a text (capability PREFIX).
        """
        who = self[member]
        if tag is None:
            tag = Tag(stage, round, who.name, tuple(d.call for d in sees if d.call))

        def prepare(what: Query | Request | str | None) -> Request:
            return self._asked(who, self._bound() if what is None else what, draw, prefix, tag, sampling)[1]

        request = prepare(query)
        session = await open_session(who.model, request)
        session.prepare = prepare
        if self._recorder is not None:
            session.journal = SessionRecord(self._recorder, who.name, draw, self._bound().extract)
            session.journal.begin(request)
        return session

    async def reading(
        self, member: MemberRef, query: Query | Request, sort: str, about: Any, find: Callable[[Session], Awaitable[Completion]]
    ) -> Completion:
        """What ``find`` learns in a session with ``member`` prompted with ``query``, a row of the store.

        A call of the transcript, with the tokens that ``find`` says were read, whether they were read now or came from the store.
        """
        who = self[member]
        _, request = self._asked(who, query, 0, None, Tag(sort, 0, who.name), {})
        note = self._recorder.open(who.name, request, 0) if self._recorder is not None else None
        if isinstance(who.model, CachedModel):
            found = await who.model.reading(sort, request, about, find)
        else:
            async with await open_session(who.model, request) as session:
                found = await find(session)
        if self._recorder is not None and note is not None:
            self._recorder.close(note, found, None)
        return found

    def _asked(
        self,
        who: Member,
        query: Query | Request | str,
        draw: int,
        prefix: str | None,
        tag: Tag,
        sampling: Mapping[str, Any],
    ) -> tuple[Query, Request]:
        """What the question is about, and the request ``who`` gets."""
        about, request = self._request(query)
        if prefix is not None:
            request = request.but(prefix=prefix)
        if sampling:
            request = request.but(sampling=request.sampling.but(**sampling))
        return about, request.but(draw=(*request.draw, draw), replicate=self.replicate(who), tag=tag)

    async def ask_all(
        self,
        query: Query | Request | str | None = None,
        *,
        prompt: Callable[[Member], str | Request] | None = None,
        draws: int = 1,
        on_failure: Literal["fail", "drop"] = "fail",
        at_least: int = 1,
        deadline: float | None = None,
        stage: str = "answer",
        round: int = 0,
        **options: Any,
    ) -> list[Draft]:
        """Ask every member ``draws`` times; drafts come in pool order, then by draw.

        ``prompt(member)`` gives each its own prompt. With ``on_failure="drop"`` failed members (and those later than
        ``deadline`` seconds) are left out, and fewer than ``at_least`` drafts raise the first failure.
        """
        jobs = [(m, d) for m in self.members for d in range(draws)]

        async def one(member: Member, draw: int) -> Draft:
            what = prompt(member) if prompt is not None else query
            if what is None:
                what = self._bound()
            call = self.ask(member, what, draw=draw, stage=stage, round=round, **options)
            try:
                return await (asyncio.wait_for(call, deadline) if deadline is not None else call)
            except TimeoutError as error:
                raise Transient(
                    f"'{member.name}' did not answer within {deadline} s", remedy="raise the deadline, or set on_failure: drop"
                ) from error

        outcomes = await asyncio.gather(*(one(m, d) for m, d in jobs), return_exceptions=True)
        drafts = [o for o in outcomes if isinstance(o, Draft)]
        failures = [o for o in outcomes if isinstance(o, BaseException)]
        fatal = [f for f in failures if not isinstance(f, BackendError)]
        if fatal or (failures and (on_failure == "fail" or len(drafts) < at_least)):
            raise (fatal or failures)[0]
        return drafts

    def group(self, rule: Any, members: Iterable[MemberRef] | None = None, name: str = "") -> CachedModel:
        """A Model that decodes ``members`` (default: all) in lock-step, their distributions combined by ``rule``.

        Raises PoolError where they cannot be decoded together.
        """
        chosen = self.members if members is None else tuple(self[m] for m in members)
        return CachedModel(BUILDERS.get("group")(rule, chosen, name), self.store)

    def model(self, reference: Any) -> CachedModel:
        """The Model of an artifact id or a merge plan; nothing is loaded before its first request."""
        return CachedModel(BUILDERS.get("model")(reference, self), self.store)

    async def score(self, member: MemberRef, prompt: Request | str, continuation: str) -> TokenScores:
        """Log-probabilities of ``continuation`` as ``member``'s answer; needs the capability SCORE."""
        who = self[member]
        if "SCORE" not in who.model.capabilities:
            raise PoolError(
                f"member '{who.name}' cannot score texts", why="it lacks the capability SCORE", remedy="use a local model for it"
            )
        _, request = self._request(prompt)
        scores = await who.model.score(request, continuation)
        if self._recorder is not None:
            note = self._recorder.open(who.name, request.but(tag=Tag("score", 0, who.name)), 0)
            said = f"{continuation}: {scores.total + scores.end:.4f}"
            self._recorder.close(note, Completion(said, usage=Usage(scores.read, 0, 1)), None)
        return scores

    async def reward(self, query: Query | Request | str, text: str, *, sees: Sequence[Draft] = ()) -> float:
        """What the study's reward model gives ``text`` as the answer to ``query``: a call of the transcript, with what it read.

        Raises PoolError where the study names no reward model, BackendError where it fails.
        """
        who = self.helper("reward")[0]
        _, request = self._request(query)
        tag = Tag("reward", 0, who.name, tuple(d.call for d in sees if d.call))
        note = self._recorder.open(who.name, request.but(tag=tag), 0) if self._recorder is not None else None
        model: Any = who.model
        if isinstance(model, CachedModel):
            found = await model.rewarded(request, text)
        else:
            found = Completion("", usage=Usage(0, 0, 1), reason={"reward": await model.reward(request, text)})
        reward = float(found.reason["reward"])
        if self._recorder is not None and note is not None:
            self._recorder.close(note, replace(found, text=f"{text}: {reward:.4f}"), None)
        return reward

    async def embed(self, member: MemberRef, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        """``member``'s vectors [text, dimension], and what reading ``texts`` costs; a call of the transcript if that is anything.

        Raises PoolError for a member without the capability EMBED, BackendError where it fails.
        """
        who = self[member]
        if "EMBED" not in who.model.capabilities:
            remedy = "use a sentence encoder, or hashed n-grams"
            raise PoolError(f"'{who.name}' cannot embed texts", why="it lacks the capability EMBED", remedy=remedy)
        model: Any = who.model
        if isinstance(model, CachedModel):
            vectors, usage = await model.embedded(texts)
        else:
            vectors, usage = await model.embed(texts), Usage(0, 0, 1)
        if self._recorder is not None and usage.calls:
            request = Request(messages=messages_of("\n\n".join(texts)), tag=Tag("embed", 0, who.name))
            note = self._recorder.open(who.name, request, 0)
            said = "a vector" if len(texts) == 1 else f"{len(texts)} vectors"
            self._recorder.close(note, Completion(said, usage=usage), None)
        return vectors, usage

    def _bound(self) -> Query:
        if self._query is None:
            raise ConfigError("this pool is not bound to a query", remedy="pass the query, or ask inside a method's answer")
        return self._query

    def _request(self, query: Query | Request | str) -> tuple[Query, Request]:
        if isinstance(query, str):
            base = self._query if self._query is not None else Query.of(query)
            return base, base.request(query) if self._query is not None else base.request()
        if isinstance(query, Request):
            return self._query if self._query is not None else Query.of(query), query
        return query, query.request()


def _named(members: Sequence[Member], fixed: set[int]) -> list[Member]:
    """Members with distinct names: given names must differ, derived ones get a number (alpha, alpha-2)."""
    taken = Counter(m.name for i, m in enumerate(members) if i in fixed)
    twice = [name for name, n in taken.items() if n > 1]
    if twice:
        raise ConfigError(f"two members are called '{twice[0]}'", where="pool", remedy="give each its own name")
    used = set(taken)
    out = []
    for i, member in enumerate(members):
        name, n = member.name, 1
        while i not in fixed and name in used:
            n += 1
            name = f"{member.name}-{n}"
        used.add(name)
        out.append(replace(member, name=name))
    return out


__all__ = ["Aux", "Member", "Pool", "default_store", "shown"]
