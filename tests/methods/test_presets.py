"""Presets of the text methods are the columns of their specifications: the paper's code, and the released MoCo code."""

from __future__ import annotations

from typing import Any

import pytest

from moco.collab import load_method

PAPER: dict[str, dict[str, Any]] = {
    "majority_vote": {"tie": "order", "weights": "uniform", "draws": 1},
    "self_consistency": {"draws": 40},
    "slm_mux": {"temperature": 0.3, "samples": 5, "denominator": "k", "tie": "dev"},
    "multiagent_refine": {"rounds": 2, "history": "full", "aggregate": "vote", "tie": "order", "early_stop": "none"},
    "multiagent_feedback": {
        "mode": "abstain",
        "feedback_count": 3,
        "include_self": True,
        "feedback_temperature": 1.0,
        "feedback_tokens": 200,
    },
    "knowledge_card": {
        "mode": "bottom_up",
        "per_card": 5,
        "relevant": 20,
        "used": 5,
        "relevance": "embed",
        "normalise": False,
        "resample": "paper",
        "prune": "lm",
        "prune_tokens": 30,
        "passage_tokens": 100,
        "style": "continue",
        "no_answers": False,
        "quotes": "joined",
        "temperature": 0.1,
        "max_iter": 3,
    },
    "llm_blender": {"top_k": 3, "ranker": "pairrm", "fuser": "gen_fuser", "policy": "max_logits", "orders": "both"},
    "structured_interaction": {"format": "relcom", "rounds": 10, "isolated": "reask", "history": "last"},
    "bbmas": {"control": "unit", "assign": "random"},
    "mixture_of_agents": {"layers": 2},
}
RELEASED: dict[str, dict[str, Any]] = {
    "majority_vote": {"tie": "random", "unreadable": "candidate", "weights": "uniform", "draws": 1},
    "slm_mux": {"samples": 5, "denominator": "usable", "tie": "dev", "inner_tie": "random", "select": False},
    "multiagent_refine": {"rounds": 3, "history": "last", "aggregate": "summarize", "skip_if_unanimous": False},
    "multiagent_feedback": {
        "mode": "refine",
        "rounds": 3,
        "feedback_count": 3,
        "include_self": False,
        "selection": "random",
        "stop_if_ok": False,
        "feedback_tokens": 512,
        "aggregate": "summarize",
        "skip_if_unanimous": False,
    },
    "knowledge_card": {"mode": "simple", "per_card": None, "passage_tokens": 512, "prune": "none", "no_answers": False},
    "llm_blender": {
        "top_k": 3,
        "ranker": "prompt",
        "orders": "one",
        "policy": "max_wins",
        "order": "ranked",
        "ranker_tokens": 128,
    },
    "structured_interaction": {"rounds": 3, "format": "plain", "isolated": "keep", "history": "last", "aggregate": "agent"},
    "bbmas": {"control": "self", "acting": 1, "min_to_stop": 1, "repairs": 3, "idle": 0},
    "mixture_of_agents": {"layers": 1},
}
CASES = [("paper", name, wanted) for name, wanted in PAPER.items()] + [
    ("moco", name, wanted) for name, wanted in RELEASED.items()
]


@pytest.mark.parametrize(("preset", "name", "wanted"), CASES, ids=[f"{p}-{n}" for p, n, _ in CASES])
def test_a_preset_is_its_column(preset: str, name: str, wanted: dict[str, Any]) -> None:
    options = load_method(name, preset=preset).options
    assert {option: options[option] for option in wanted} == wanted
