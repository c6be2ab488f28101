"""How a command ends: asked to by Ctrl-C or SIGTERM, once and twice; when the reader of its output goes away; on a full disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moco.cli.ending import Ending
from tests.cli.conftest import Moco
from tests.cli.test_errors import fail_with
from tests.study.test_runner import STUDY, write_data

ROOT = Path(__file__).parents[2]
COMMAND = """
import asyncio, os, sys
import tests.study.test_runner as t
from moco.cli import main
from moco.models.member import SCHEMES
from moco.testing import ScriptedModel

class Slow(ScriptedModel):
    async def generate(self, request):
        await asyncio.sleep(0.01)
        if os.environ.get("STUCK") and request.draw:
            open(os.environ["STUCK"], "w").close()
            while True:
                pass
        return await super().generate(request)

def build(reference, *, name, **options):
    short = reference.split("/")[1]
    return Slow(name, lambda r: t.letters(short, r), fingerprint=f"scripted {short}")

SCHEMES._items["scripted"] = build
sys.exit(main())
"""


def start(folder: Path, *line: str, stdout: int | None = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own, with scripted members."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MOCO_HOME": str(folder / "home"), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *line], env=env, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def study(tmp_path: Path) -> str:
    text = STUDY.replace("DATA", str(write_data(tmp_path, 15))).replace("seeds: [0, 1]", "seeds: [0]")
    (tmp_path / "my study.yaml").write_text(text, encoding="utf-8")
    return "my study.yaml"


def some_answers(folder: Path) -> int:
    return sum(len(file.read_bytes().splitlines()) for file in folder.glob("out/cells/*/answers.jsonl"))


def test_asked_once_a_run_saves_and_says_how_to_continue(study: str, tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process, before = start(tmp_path, "run", study, "-o", "out"), some_answers(tmp_path)
        while process.poll() is None and some_answers(tmp_path) == before:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert "Continue with: moco run 'my study.yaml' -o out" in said and "Traceback" not in said
    for out, home in (("out", "home"), ("whole", "other")):
        again = start(tmp_path, "run", study, "-o", out, MOCO_HOME=str(tmp_path / home))
        assert again.communicate(timeout=120) and again.returncode == 0
    assert (tmp_path / "out" / "results.json").read_bytes() == (tmp_path / "whole" / "results.json").read_bytes()


def test_asked_twice_it_ends_at_once_whatever_is_stuck(study: str, tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    process = start(tmp_path, "run", study, "-o", "out", STUCK=str(stuck))
    while process.poll() is None and not stuck.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the first time it waits for what is in flight"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130 and "stopped at once" in said and "Traceback" not in said


def test_a_signal_that_is_to_be_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.getsignal(signal.SIGINT)
    try:
        Ending().listen()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_the_run_is_whole_when_the_reader_goes_away(study: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = start(tmp_path, "run", study, "-o", "out", stdout=writing)
    os.close(reading)
    os.close(writing)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 141 and "Traceback" not in said and "error" not in said
    assert (tmp_path / "out" / "results.json").exists() and (tmp_path / "out" / "report.html").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_finds_no_room_is_a_full_disk(study: str, tmp_path: Path, unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        process = start(tmp_path, "run", study, "-o", "out", stdout=full.fileno(), PYTHONUNBUFFERED=unbuffered)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2 and "cannot write: No space left" in said and "remedy" in said
    assert (tmp_path / "out" / "report.html").exists()


def test_odd_paths_and_an_encoding_without_our_characters_end_nothing(study: str, tmp_path: Path) -> None:
    plain = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "NO_COLOR": "1", "COLUMNS": "0"}
    process = start(tmp_path, "run", study, "-o", "ä ö/日本 語", MOCO_HOME=str(tmp_path / "ho me ß"), **plain)
    told, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "majority_vote" in told and told.isascii() and "\x1b" not in told + said
    assert (tmp_path / "ä ö" / "日本 語" / "report.html").exists() and (tmp_path / "ho me ß").is_dir()
    assert "moco report 'ä ö/日本 語' --md" in said, "quoted as a shell wants it"


@pytest.mark.parametrize("number, code", [(errno.ENOSPC, 2), (errno.EROFS, 2), (errno.ECONNRESET, 1)])
def test_a_full_disk_is_not_our_fault(number: int, code: int, moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, OSError(number, os.strerror(number), "some/file"))
    said = moco("doctor")
    assert said.code == code and os.strerror(number) in said.err
    assert ("some/file" in said.err) and ("fault of moco" in said.err) is (code == 1)
