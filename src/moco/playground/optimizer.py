"""Muon for the block matrices, AdamW for embeddings and norms: half the tokens of plain AdamW at this size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalised(stack: Tensor) -> Tensor:
    """Five Newton-Schulz steps in bfloat16: all singular values of each matrix are brought near one."""
    a, b, c = NEWTON_SCHULZ
    x = stack.bfloat16()
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.mT if tall else x).float()
    return result


class Muon:
    """Nesterov momentum, then an orthogonalised step; matrices of one shape are handled in one stack."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.buffers = [torch.zeros_like(parameter) for parameter in self.parameters]

    def step(self, rate: float) -> None:
        """One update from the gradients."""
        with torch.no_grad():
            self._step(rate)

    def _step(self, rate: float) -> None:
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for parameter, buffer in zip(self.parameters, self.buffers, strict=True):
            assert parameter.grad is not None
            buffer.lerp_(parameter.grad, 1 - MOMENTUM)
            update = parameter.grad.lerp(buffer, MOMENTUM)
            by_shape.setdefault(parameter.shape, []).append((parameter, update))
        for (rows, columns), pairs in by_shape.items():
            scale = max(1.0, rows / columns) ** 0.5
            updates = orthogonalised(torch.stack([update for _, update in pairs]))
            for (parameter, _), update in zip(pairs, updates, strict=True):
                parameter.add_(update, alpha=-rate * scale)


class Optimizer:
    """Both optimizers behind one step and one state."""

    def __init__(self, model: Any) -> None:
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
        chosen = {id(parameter) for parameter in matrices}
        rest = [parameter for _, parameter in named if id(parameter) not in chosen]
        self._model = model
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, muon_rate: float, adam_rate: float) -> None:
        """Clip, update, clear."""
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for group in self.adam.param_groups:
            group["lr"] = adam_rate
        self.adam.step()
        self.muon.step(muon_rate)
        self._model.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint needs."""
        return {"muon": self.muon.buffers, "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``."""
        for buffer, saved in zip(self.muon.buffers, state["muon"], strict=True):
            buffer.copy_(saved)
        self.adam.load_state_dict(state["adam"])
