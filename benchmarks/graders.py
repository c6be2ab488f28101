"""How fast the graders are, and how often a perfect answerer is graded wrong.

First `moco grade` as a filter: items a second of CPU time in one process, per kind, reading and writing JSONL. Then, where the
data beside the repository are, every record against its own gold and wrong ones (`--records N` takes N of each file), in the
phrasings the graders were written against and in the held-out ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.tasks import oracle

REASONING = (
    "Let us see. There are three of them and then four more, so option A looks tempting at first, but it does not hold.\n\n"
)
CHOICES = {"A": "a blue heron", "B": "a grey crane", "C": "a white stork", "D": "an ibis"}
LINES: dict[str, list[dict[str, object]]] = {
    "multiple_choice": [
        {"output": said, "gold": "B", "choices": CHOICES}
        for said in (
            "B",
            "Answer: B",
            f"{REASONING}The answer is B.",
            "**B) a grey crane**",
            "It must be a grey crane.",
            "\\boxed{B}",
        )
    ],
    "label": [
        {"output": said, "gold": "no", "labels": ["yes", "no", "maybe"]}
        for said in ("No.", "Answer: no", f"{REASONING}So the answer is no.", "\\boxed{no}")
    ],
    "numeric": [
        {"output": said, "gold": "1234.5"}
        for said in ("1,234.5", "Answer: $1,234.50", f"{REASONING}#### 1234.5", "\\boxed{1234.5}")
    ],
    "short_text": [
        {"output": said, "gold": ["Ada Lovelace", "Lovelace"]}
        for said in ("Ada Lovelace", f"{REASONING}Answer: Lovelace", "It was Ada Lovelace.")
    ],
    "math": [
        {"output": said, "gold": "\\frac{1}{2}"}
        for said in ("\\boxed{\\frac12}", f"{REASONING}The answer is $0.5$.", "\\boxed{\\sin(30^\\circ)}")
    ],
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def speed(kind: str, items: int) -> float:
    """Items a second of CPU time of `moco grade`, its start included."""
    some = LINES[kind]
    text = "".join(json.dumps({"id": i, **some[i % len(some)]}) + "\n" for i in range(items))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [os.fspath(Path(sys.executable).with_name("moco")), "grade", "--kind", kind]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.stdout.count("\n") != items:
        raise SystemExit(f"{kind}: {done.stdout.count(chr(10))} verdicts for {items} lines")
    return items / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def sweep(records: int) -> None:
    every = list(oracle.cases())
    some = oracle.sampled(every, records) if records else every
    started, replies, wrongs = time.perf_counter(), 0, 0
    files = Counter(case.file for case in some)
    defects: Counter[str] = Counter()
    for case in some:
        forms = oracle.phrasings(case)
        replies, wrongs = replies + len(forms), wrongs + len(case.wrong) * len(oracle.WRONG)
        defects[case.file] += bool([*oracle.misses_right(case, forms), *oracle.misses_wrong(case)])
    say(
        f"{len(some)} records of {len(files)} files, {replies} right and {wrongs} wrong replies,"
        f" {time.perf_counter() - started:.0f} s"
    )
    for file, count in sorted(files.items()):
        say(f"  {file}: {defects[file]} of {count} records with a reply graded wrong ({defects[file] / count:.2%})")
    asked: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for case in oracle.sampled(every, 400, seed=5):
        kind = "sequence" if case.kind == "label" and not case.spec.labels else case.kind
        forms = oracle.held_out(case)
        asked[kind] += len(forms)
        missed[kind] += len(list(oracle.misses_right(case, forms)))
    say("held-out phrasings, at most 400 records of each file:")
    for kind, count in sorted(asked.items()):
        say(f"  {kind}: {missed[kind]} of {count} replies graded wrong ({missed[kind] / count:.2%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--records", type=int, default=40, help="records of each file; 0 takes all")
    given = parser.parse_args()
    for kind in LINES:
        say(f"{kind}: {speed(kind, given.items):,.0f} items a second of CPU time")
    if oracle.DATA.is_dir():
        sweep(given.records)
    else:
        say(f"no data at {os.fspath(oracle.DATA)}: no sweep")


if __name__ == "__main__":
    main()
