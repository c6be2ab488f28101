"""How long judging takes: 1,000 short programs, all different, in both modes, at every level of this machine.

Prints the wall time, programs per second and the status counts; nothing is cached. The first program of a level pays for the
start of its servers.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter

from moco.tasks.sandbox import STRONG, Program, Sandbox, finding

PROGRAMS = 1000


def main() -> None:
    out = sys.stdout.write
    out(f"{PROGRAMS} programs, {len(os.sched_getaffinity(0))} processors\n")
    for level in STRONG:
        if not finding(level).holds:
            out(f"{level}: not here: {finding(level).why}\n")
            continue
        for apart in (True, False):
            sandbox = Sandbox(level=level)
            began = time.perf_counter()
            verdicts = sandbox.judge_all(
                Program(
                    f"def f(n):\n    return sum(range(n)) + {n}\n",
                    f"def check(candidate):\n    assert candidate(10) == {45 + n}\n",
                    "f",
                    apart=apart,
                )
                for n in range(PROGRAMS)
            )
            seconds = time.perf_counter() - began
            sandbox.close()
            counts = dict(Counter(verdict.status for verdict in verdicts))
            mode = "two processes" if apart else "one process"
            out(f"{level}, {mode}: {seconds:.1f} s, {PROGRAMS / seconds:.0f} programs/s, {counts}\n")


if __name__ == "__main__":
    main()
