"""The child process that asks math-verify: one JSON pair of expressions a line in, one verdict a line out.

Run as a file, not as part of the package: it imports math-verify alone. It limits its own CPU time per pair and its memory,
and ends when its standard input does, so that no worker outlives its parent even in the middle of a comparison.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import resource
import sys
import threading
import time
from typing import Any

MEMORY = 4 << 30


def main() -> None:
    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    sys.set_int_max_str_digits(20_000)
    config = (LatexExtractionConfig(boxed_match_priority=0),)
    _limit(resource.RLIMIT_AS, MEMORY)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()

    def same(first: str, second: str) -> bool:
        sides = [parse(f"${one}$", config, fallback_mode="no_fallback", parsing_timeout=None) for one in (first, second)]
        if not all(sides):
            return False
        forth, back = tuple(sides), tuple(reversed(sides))
        return any(verify(gold, answer, timeout_seconds=None) for gold, answer in (forth, back))

    while True:
        first, second, seconds = json.loads(jobs.get())
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))
        try:
            verdict: Any = same(first, second)
        except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001 - whatever sympy raises, the pair is undecided
            verdict = type(error).__name__
        sys.stdout.write(json.dumps(verdict) + "\n")
        sys.stdout.flush()


def _read(jobs: queue.SimpleQueue[str]) -> None:
    """Feeds the jobs; ends the process when the parent is gone."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _limit(which: int, amount: int) -> None:
    """Lowers a soft limit where the system allows it; the parent's own time limit holds in any case."""
    _, hard = resource.getrlimit(which)
    try:
        resource.setrlimit(which, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))
    except (ValueError, OSError):
        return


if __name__ == "__main__":
    main()
