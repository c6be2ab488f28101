"""The store: what is put is found, across processes and kills; damage is a miss, never a wrong answer."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import CacheError, Transient
from moco.core.types import Call, Completion, Request, Tag, Usage, messages_of
from moco.models import leases
from moco.models import store as store_module
from moco.models.cached import CachedModel
from moco.models.protocol import StoreKey
from moco.models.store import Store, completion_from_json, completion_to_json, default_home, write_ahead
from moco.testing import ScriptedModel

FULL = Completion(
    "text 😀", "why", (1, 2), (-0.5, -1e-9), "length", Usage(3, 2, 1), "key", "alpha", 0.25, {"votes": [["4", ["a"]]]},
    (Call("answer.0.a.0", "a", "p", "t", Tag("answer", 0, "a", ("x",)), (1, 0), "4", calls=(Call("i", "m", "p", "t"),)),),
)  # fmt: skip
floats = st.floats(allow_nan=False, allow_infinity=False, max_value=0)


@given(st.text(), st.lists(st.tuples(st.integers(0, 10**6), floats), max_size=5))
def test_a_completion_survives_json(text: str, tokens: list[tuple[int, float]]) -> None:
    made = Completion(text, ids=tuple(i for i, _ in tokens), logprobs=tuple(p for _, p in tokens), usage=Usage(1, len(tokens), 1))
    assert completion_from_json(json.loads(json.dumps(completion_to_json(made)))) == made


def test_rows_survive_the_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.put(StoreKey("a", 1), FULL)
    store.close()
    again = Store(tmp_path / "s.sqlite")
    assert again.get(StoreKey("a", 1)) == FULL
    assert again.get(StoreKey("a", 2)) is None
    assert (again.hits, again.misses) == (1, 1)


def test_flushed_rows_survive_sigkill(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal; from pathlib import Path; from moco.models.store import Store\n"
        "from moco.models.protocol import StoreKey\n"
        "from moco.core.types import Completion\n"
        "s = Store(Path(sys.argv[1]))\n"
        "for i in range(100): s.put(StoreKey(str(i), 0), Completion(f'text {i}'))\n"
        "s.flush(); s.put(StoreKey('late', 0), Completion('lost')); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s.sqlite")], check=False)
    assert done.returncode == -9
    store = Store(tmp_path / "s.sqlite")
    assert [store.get(StoreKey(str(i), 0)) for i in range(100)] == [Completion(f"text {i}") for i in range(100)]
    assert store.get(StoreKey("late", 0)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_every_flipped_bit_is_a_miss(tmp_path_factory: pytest.TempPathFactory, where: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "s.sqlite"
    store = Store(path)
    store.put(StoreKey("a", 1), FULL)
    store.close()
    db = sqlite3.connect(path)
    body = bytearray(db.execute("SELECT body FROM completions").fetchone()[0])
    body[where // 8 % len(body)] ^= 1 << where % 8
    db.execute("UPDATE completions SET body=?", (bytes(body),))
    db.commit()
    db.close()
    again = Store(path)
    assert again.get(StoreKey("a", 1)) is None and again.get(StoreKey("a", 1), counted=False) is None
    assert again.damaged == 1, "looked at twice, told of once"
    assert again.verify() == (1, 1)
    assert again.verify() == (0, 0)


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("this is not a database, and long enough to be read as one" * 20)
    with pytest.raises(CacheError, match="cannot open the store"):
        Store(path)


def test_a_file_that_is_damaged_as_a_whole_is_said_by_every_way_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = Store(path)
    for i in range(300):
        store.put(StoreKey(str(i), 0), Completion(f"text {i} " * 20))
    store.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    again = Store(path)
    for read in (again.verify, again.stats, again.clear, lambda: [again.get(StoreKey(str(i), 0)) for i in range(300)]):
        with pytest.raises(CacheError, match="cannot read the store") as caught:
            read()
        assert "remove the file" in caught.value.remedy


def test_without_a_home_folder_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MOCO_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(CacheError, match="no home folder") as caught:
        default_home()
    assert "MOCO_HOME" in caught.value.remedy


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(CacheError, match="schema 99"):
        Store(path)


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    one.put(StoreKey("a", 0), Completion("one"))
    one.flush()
    assert two.get(StoreKey("a", 0)) == Completion("one")
    two.put(StoreKey("b", 0), Completion("two"))
    two.flush()
    assert one.get(StoreKey("b", 0)) == Completion("two")


def request(text: str = "hello", **changes: object) -> Request:
    return Request(messages=messages_of(text)).but(**changes)


def test_equal_requests_are_asked_once() -> None:
    model = ScriptedModel("m", lambda r: "hi")
    cached = CachedModel(model, Store(None))

    async def ask() -> None:
        await asyncio.gather(*(cached.generate(request()) for _ in range(50)))
        await cached.generate(request(tag=Tag("other", 3)))

    asyncio.run(ask())
    assert len(model.requests) == 1
    assert cached.paid_calls == 1


def test_a_failure_is_told_to_all_who_wait_and_not_stored() -> None:
    attempts = []

    class Busy(ScriptedModel):
        async def generate(self, request: Request) -> Completion:
            attempts.append(request)
            await asyncio.sleep(0.01)
            if len(attempts) == 1:
                raise Transient("busy")
            return Completion("now")

    cached = CachedModel(Busy("m", ""), Store(None))

    async def ask() -> list[object]:
        first = await asyncio.gather(*(cached.generate(request()) for _ in range(3)), return_exceptions=True)
        return [*first, await cached.generate(request())]

    *failed, fine = asyncio.run(ask())
    assert all(isinstance(f, Transient) for f in failed)
    assert isinstance(fine, Completion) and fine.text == "now"


def test_one_who_gives_up_does_not_take_the_answer_from_others() -> None:
    class Slow(ScriptedModel):
        async def generate(self, request: Request) -> Completion:
            await asyncio.sleep(0.02)
            return await super().generate(request)

    cached = CachedModel(Slow("m", "hi"), Store(None))

    async def ask() -> Completion:
        first = asyncio.create_task(cached.generate(request()))
        await asyncio.sleep(0)
        second = asyncio.create_task(cached.generate(request()))
        await asyncio.sleep(0.005)
        first.cancel()
        return await second

    assert asyncio.run(ask()).text == "hi"


def test_a_full_disk_keeps_the_rows_for_the_next_flush(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    assert store._db is not None
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages + 1}")
    for i in range(50):
        store.put(StoreKey(str(i), 0), Completion(f"{i} " * 4000, ids=tuple(range(i * 1000, i * 1000 + 1000))))
    with pytest.raises(CacheError, match="cannot write the store"):
        store.flush()
    store._db.execute("PRAGMA max_page_count=1000000")
    store.flush()
    store.close()
    assert Store(tmp_path / "s.sqlite").get(StoreKey("49", 0)) is not None


TWO = """
import asyncio, os, sys
from pathlib import Path
from moco.core.types import Completion, Request, messages_of
from moco.models.cached import CachedModel
from moco.models.store import Store
from moco.testing import ScriptedModel

class Slow(ScriptedModel):
    async def generate(self, request):
        with open(sys.argv[2], "a") as log:
            log.write(request.messages[0].content + "\\n")
        await asyncio.sleep(0.01)
        return await super().generate(request)

async def main():
    store = Store(Path(sys.argv[1]))
    cached = CachedModel(Slow("m", lambda r: r.messages[0].content), store)
    gate = asyncio.Semaphore(8)
    async def ask(i):
        async with gate:
            said = await cached.generate(Request(messages=messages_of(f"question {i}")))
            assert said.text == f"question {i}"
    await asyncio.gather(*(ask(i) for i in range(200)))
    store.close()

asyncio.run(main())
"""


class Contested:
    """A new file that others are switching: locked so many times."""

    def __init__(self, times: int) -> None:
        self.times, self.tried = times, 0

    def execute(self, statement: str) -> None:
        self.tried += 1
        if self.tried <= self.times:
            raise sqlite3.OperationalError("database is locked")


def test_a_new_file_that_others_open_too_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Contested(3)
    write_ahead(file)  # type: ignore[arg-type]
    assert file.tried == 4
    monkeypatch.setattr(store_module, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(Contested(1000))  # type: ignore[arg-type]


def test_processes_that_ask_the_same_pay_once(tmp_path: Path) -> None:
    log = tmp_path / "asked"
    command = [sys.executable, "-c", TWO, str(tmp_path / "s.sqlite"), str(log)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [p.wait(timeout=120) for p in running] == [0, 0, 0]
    asked = log.read_text().splitlines()
    assert set(asked) == {f"question {i}" for i in range(200)}
    assert len(asked) == 200, "nothing is paid twice"


def test_a_dead_owner_holds_nobody_up(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal; from pathlib import Path; from moco.models.store import Store\n"
        "from moco.models.protocol import StoreKey\n"
        "assert Store(Path(sys.argv[1])).claim(StoreKey('a', 0)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "s.sqlite")], check=False).returncode == -9
    store = Store(tmp_path / "s.sqlite")
    assert store.claim(StoreKey("a", 0))


def test_a_live_owner_is_waited_for_until_it_gives_up(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    assert one._leases is not None and two._leases is not None
    two._leases.owner = f"elsewhere:{1}"
    assert two.claim(StoreKey("a", 0))
    assert not one.claim(StoreKey("a", 0))
    two.abandon(StoreKey("a", 0))
    assert one.claim(StoreKey("a", 0))
    one.put(StoreKey("a", 0), Completion("done"))
    one.flush()
    assert two.claim(StoreKey("a", 0)), "the lease ended with the commit"


def test_two_that_wait_for_each_other_both_get_what_they_wait_for(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    assert two._leases is not None
    two._leases.owner = "elsewhere:1"
    mine, yours = StoreKey("mine", 0), StoreKey("yours", 0)
    assert one.claim(mine) and two.claim(yours)
    one.put(mine, Completion("m"))
    two.put(yours, Completion("y"))  # neither puts anything more: nobody but the heartbeat commits
    deadline = time.monotonic() + 20
    while not (one.claim(yours) and two.claim(mine)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert one.get(yours) == Completion("y") and two.get(mine) == Completion("m")


def test_a_long_answer_keeps_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1.5)
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    assert two._leases is not None
    two._leases.owner = "elsewhere:1"
    assert two.claim(StoreKey("a", 0))
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert not one.claim(StoreKey("a", 0)), "it is still being answered"
        time.sleep(0.1)


def test_a_store_that_nobody_holds_ends_its_heartbeat(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.claim(StoreKey("a", 0))
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
