"""What `moco ask` and `moco serve` are pointed at: a study, a run, a cell; and where a server listens."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
from pathlib import Path

import pytest

from moco.cli.ask import verdict
from moco.cli.serving import curl, listening, url
from moco.cli.sources import finished_cells, load_source, methods_of
from moco.core.errors import ConfigError
from moco.core.types import Completion
from moco.models.store import Store
from tests.cli.conftest import Moco
from tests.cli.test_commands import cell_of


def test_a_run_answers_as_its_methods_do(finished: Path, study: Path) -> None:
    assert methods_of(finished) == methods_of(study) == ["single", "majority_vote"]
    assert methods_of(cell_of(finished, "single")) == [None]
    store = Store(None)
    whole, cell = load_source(finished, "majority_vote", store), load_source(cell_of(finished, "majority_vote"), None, store)
    assert whole.name == "majority_vote" and whole.team.fingerprint == cell.team.fingerprint
    assert load_source(finished, None, store).name == "single"


def test_of_a_method_the_first_tasks_first_seed_is_taken(tmp_path: Path) -> None:
    cells = [
        {"id": "m-alone", "label": "m", "role": "member"}, {"id": "a-0", "label": "a", "role": "method"},
        {"id": "b-0", "label": "b", "role": "method"}, {"id": "a-1", "label": "a", "role": "method"},
    ]  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert {label: path.name for label, path in finished_cells(tmp_path).items()} == {"a": "a-0", "b": "b-0"}
    (tmp_path / "results.json").write_text(json.dumps({"cells": cells[:1]}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no methods.*m-alone"):
        finished_cells(tmp_path)


def test_a_wrong_source_names_the_way_out(finished: Path, tmp_path: Path, moco: Moco) -> None:
    assert "did you mean 'majority_vote'?" in moco("ask", finished, "hi", "--method", "majority").err
    said = moco("serve", tmp_path)
    assert said.code == 2 and "is no finished run" in said.err
    shutil.copytree(cell_of(finished, "single"), tmp_path / "cells" / "one")
    assert str(tmp_path / "cells" / "one") in moco("serve", tmp_path).err, "what is finished of a run that is not"
    assert "a cell has one method" in moco("ask", cell_of(finished, "single"), "hi", "--method", "x").err


def test_what_cannot_be_asked_is_the_users_fault(finished: Path, moco: Moco) -> None:
    said = moco("ask", finished, " \n")
    assert said.code == 2 and "the question is empty" in said.err
    said = moco("ask", finished, "what is this " * 2000)
    assert said.code == 2 and "no room in the context" in said.err and "remedy" in said.err


def test_a_run_is_asked_by_its_folder(finished: Path, study: Path, moco: Moco) -> None:
    said = moco("ask", finished, "What is 17 + 25?", "--method", "majority_vote", "--store", study.parent / "cache.sqlite")
    assert said.code == 0 and "alpha" in said.out and f"moco serve {shlex.quote(str(finished))}" in said.err


def test_a_port_that_is_taken_is_said_before_anything_is_fitted(study: Path, moco: Moco) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = moco("serve", study, "--port", str(other.getsockname()[1]))
    assert said.code == 2 and "something is listening there already" in said.err and "--port" in said.err
    assert "preparing" not in said.err


def test_any_free_port_is_one_that_can_be_reached() -> None:
    with listening("127.0.0.1", 0) as place, socket.create_connection(place.getsockname()[:2], timeout=5):
        pass
    with pytest.raises(ConfigError, match="cannot listen there"):
        listening("203.0.113.7", 0)  # an address of documentation: of no machine


def test_the_command_to_try_asks_where_the_server_can_be_reached_and_hides_the_key() -> None:
    assert url("0.0.0.0", 80) == url("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert url("::", 80) == url("::1", 80) == "http://[::1]:80"
    plain, guarded = shlex.split(curl("http://x", "it's", False)), curl("http://x", "m", True)
    assert json.loads(plain[-1])["model"] == "it's" and "authorization" not in " ".join(plain)
    assert '-H "authorization: Bearer $MOCO_API_KEY"' in guarded


def test_a_reason_of_steps_is_a_line_per_step() -> None:
    steps = [
        {"member": "ann", "confidence": -0.227, "threshold": -0.0187, "accepted": False},
        {"member": "bob", "confidence": -0.25, "threshold": None, "accepted": True},
    ]
    reason = {"signal": "chow_average", "scale": "log-probability", "steps": steps, "stage": 1, "fallback": False}
    lines = [line.plain for line in verdict(Completion("4", reason=reason))][2:]
    assert lines == [
        "why: signal chow_average; scale log-probability; stage 1",
        "steps:",
        "  1 member ann, confidence -0.227, threshold -0.0187, accepted no",
        "  2 member bob, confidence -0.25, accepted yes",
    ]
