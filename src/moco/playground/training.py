"""The training loop: one thread, weighted loss, checkpoints from which a run continues to the very same result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from moco.playground.batches import BatchStream, Cursor, Encoder
from moco.playground.corpus import Sampler
from moco.playground.optimizer import Optimizer

CHUNK_EXAMPLES = 4096


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. Rates rise over the first 3 % and fall linearly over the last ``decay``."""

    tokens: int
    muon_rate: float
    adam_rate: float
    decay: float
    tokens_per_step: int
    seed: str
    tokens_per_example: int = 85  # an estimate, for the progress that samplers see
    warmup: float = 0.03

    def factor(self, progress: float) -> float:
        """Multiplier of the rates."""
        if progress >= 1 - self.decay:
            return max(0.01, (1 - progress) / self.decay)
        return max(0.01, min(1.0, progress / self.warmup))


@dataclass(frozen=True)
class Progress:
    """What a listener hears after each logged step."""

    name: str
    step: int
    tokens: int
    tokens_in_all: int
    loss: float
    tokens_per_second: float


def _plain_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float, dropout: float = 0.0, **_: Any
) -> tuple[Tensor, None]:
    """Causal attention as two matrix products: with batches padded on the right no mask is needed.

    Its backward pass takes half the time of the fused kernel at these lengths on a CPU.
    """
    length = query.shape[-2]
    scores = torch.matmul(query * scaling, key.transpose(-1, -2))
    future = torch.full((length, length), float("-inf"), dtype=scores.dtype).triu(1)
    attended = torch.matmul(torch.softmax(scores + future, -1).to(value.dtype), value)
    return attended.transpose(1, 2).contiguous(), None


AttentionInterface.register("moco_playground", _plain_attention)


def _loss(model: Any, ids: Tensor, weights: Tensor, weight_of_step: float) -> tuple[Any, float]:
    """Weighted cross entropy as part of a step, and its plain mean over answer tokens for the log."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        counted = weights[:, 1:] > 0
        logits = model.lm_head(hidden[counted])
    losses = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none")
    token_weights = weights[:, 1:][counted]
    answers = losses.detach()[token_weights >= 1]
    return (losses * token_weights).sum() / weight_of_step, float(answers.mean()) if len(answers) else 0.0


@contextmanager
def _one_thread() -> Iterator[None]:
    """A model this small gains nothing from a second thread, and sums in a fixed order are the same every time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(
    model: Any,
    tokenizer: Any,
    sampler: Sampler,
    schedule: Schedule,
    *,
    name: str,
    checkpoint: Path | None = None,
    checkpoint_steps: int = 200,
    on_progress: Callable[[Progress], None] | None = None,
    progress_steps: int = 50,
) -> float:
    """Train in place and return the running loss. With ``checkpoint`` an earlier run is continued."""
    optimizer = Optimizer(model)
    step, tokens, running, cursor = 0, 0, 0.0, Cursor()
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["schedule"] == asdict(schedule):
            model.load_state_dict(saved["model"])
            optimizer.restore(saved["optimizer"])
            step, tokens, running = saved["step"], saved["tokens"], saved["running"]
            cursor = Cursor(**saved["cursor"])
    examples = schedule.tokens / schedule.tokens_per_example
    stream = BatchStream(
        Encoder(tokenizer), sampler, f"{name} {schedule.seed}",
        examples_in_all=examples, chunk=max(64, min(CHUNK_EXAMPLES, int(examples))), cursor=cursor,
    )  # fmt: skip
    batches = iter(stream)
    model.set_attn_implementation("moco_playground")
    model.train()
    started, tokens_before = time.monotonic(), tokens
    with _one_thread():
        while tokens < schedule.tokens:
            factor = schedule.factor(tokens / schedule.tokens)
            drawn, parts = 0, []
            while drawn < schedule.tokens_per_step:
                ids, weights = next(batches)
                parts.append((ids, weights))
                drawn += ids.numel()
            weight_of_step = float(sum(weights.sum() for _, weights in parts))
            mean = 0.0
            for ids, weights in parts:
                loss, answer_loss = _loss(model, ids, weights, weight_of_step)
                loss.backward()
                mean += answer_loss / len(parts)
            optimizer.step(schedule.muon_rate * factor, schedule.adam_rate * factor)
            tokens, step = tokens + drawn, step + 1
            running = mean if step == 1 else 0.97 * running + 0.03 * mean
            if checkpoint is not None and step % checkpoint_steps == 0:
                state = {
                    "schedule": asdict(schedule), "model": model.state_dict(), "optimizer": optimizer.state(),
                    "step": step, "tokens": tokens, "running": running, "cursor": asdict(stream.cursor),
                }  # fmt: skip
                _save_atomically(state, checkpoint)
            if on_progress is not None and (step % progress_steps == 0 or tokens >= schedule.tokens):
                rate = (tokens - tokens_before) / max(time.monotonic() - started, 1e-9)
                on_progress(Progress(name, step, tokens, schedule.tokens, running, rate))
    model.eval()
    model.set_attn_implementation("sdpa")
    return running


def _save_atomically(state: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, path)
