"""How far answers agree over batch sizes, and how fast they come, on the devices of this machine.

float32 and bfloat16 on CUDA where there is a GPU, float32 on the CPU always. Agreement is the share of answers, drawn at
temperature 0.7 and greedy, that are token for token those of batches of 64 when asked in shuffled batches of 1 and 7 rows;
speed is tokens per second at 512 live queries, with the ratio against the CPU of the same run.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

import moco
from moco.collab import bounded, request_for
from moco.core.types import Completion
from moco.models.store import Store

QUESTIONS, SAMPLING = 128, moco.Sampling(max_tokens=48)


def answers(member: str, options: dict[str, object], rows: int, temperature: float) -> list[Completion]:
    """The answers to the first questions, in batches of at most ``rows``, asked in an order of that size's own."""
    pool = moco.Pool([{"model": member, "name": "m", "max_rows": rows, **options}], store=Store(None))
    task = moco.load_task("playground/mixed")
    records = [*task.dev, *task.test][:QUESTIONS]
    requests = [request_for(task, r, SAMPLING.but(temperature=temperature)) for r in records]
    order = list(range(len(requests)))
    random.Random(rows).shuffle(order)

    async def run() -> list[Completion]:
        found = await bounded(pool[0].model.generate, [requests[i] for i in order], lambda done: None)
        return [found[order.index(i)] for i in range(len(order))]

    return asyncio.run(run())


def agreement(member: str, options: dict[str, object], temperature: float) -> float:
    """Share of answers that no batch size changes."""
    wide = answers(member, options, 64, temperature)
    others = [answers(member, options, rows, temperature) for rows in (1, 7)]
    return sum(all(w.ids == o[i].ids for o in others) for i, w in enumerate(wide)) / len(wide)


def speed(member: str, options: dict[str, object]) -> float:
    """Completion tokens per second at 512 live queries, the weights being loaded."""
    pool = moco.Pool([{"model": member, "name": "m", **options}], store=Store(None))
    task = moco.load_task("playground/mixed")
    requests = [request_for(task, r, SAMPLING, seed) for seed in (0, 1) for r in [*task.dev, *task.test][:256]]

    async def run() -> float:
        await pool[0].model.generate(requests[0].but(draw=(9,)))
        begun = time.perf_counter()
        found = await bounded(pool[0].model.generate, requests, lambda done: None)
        return sum(c.usage.completion_tokens for c in found) / (time.perf_counter() - begun)

    return asyncio.run(run())


def main() -> None:
    import torch

    places = [("cpu", "float32")]
    if torch.cuda.is_available():
        sys.stdout.write(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
        places += [("cuda", "float32"), ("cuda", "bfloat16")]
    for member in ("playground/alpha", "playground/mentor"):
        slow = 0.0
        for device, dtype in places:
            options: dict[str, object] = {"device": device, "dtype": dtype}
            drawn, greedy = (agreement(member, options, t) for t in (0.7, 0.0))
            fast = speed(member, options)
            slow = slow or fast
            sys.stdout.write(
                f"{member} {device} {dtype}: alike over batch sizes: {drawn:.1%} drawn, {greedy:.1%} greedy (n={QUESTIONS}); "
                f"{fast:,.0f} tokens/s, {fast / slow:.1f} times the CPU's\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
