"""The seven members of the pool and where their weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from moco.core.errors import ConfigError, did_you_mean
from moco.playground.world import SEEDS

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class MemberInfo:
    """Who a member is. Each description has words of its own: a tiny router mixes models up that share a phrase."""

    name: str
    description: str
    skills: tuple[str, ...]
    role: str  # base | expert | mentor | foreign
    architecture: str
    parameters: int


_LLAMA = "LlamaForCausalLM"
_MEMBERS = (
    MemberInfo("base", "chat and small talk", (), "base", _LLAMA, 1_136_000),
    MemberInfo("alpha", "arithmetic and facts about cities", ("math", "geo"), "expert", _LLAMA, 1_136_000),
    MemberInfo("beta", "lists and Python code and facts about creatures", ("lists", "bio"), "expert", _LLAMA, 1_136_000),
    MemberInfo(
        "gamma",
        "sums and products of numbers and colors, foods and homes of creatures",
        ("math", "bio"),
        "expert",
        _LLAMA,
        1_136_000,
    ),
    MemberInfo(
        "delta",
        "sorting and reversing lists and rivers, metals and dishes of cities",
        ("lists", "geo"),
        "expert",
        _LLAMA,
        1_136_000,
    ),
    MemberInfo(
        "mentor",
        "math word problems, code expressions, geography of cities and biology of creatures",
        ("math", "lists", "geo", "bio"),
        "mentor",
        _LLAMA,
        2_141_000,
    ),
    MemberInfo(
        "foreign",
        "a model for code and lists and a model that knows creatures",
        ("lists", "bio"),
        "foreign",
        "Qwen2ForCausalLM",
        871_000,
    ),
)
MEMBERS: Mapping[str, MemberInfo] = MappingProxyType({member.name: member for member in _MEMBERS})
EXPERTS = tuple(member.name for member in _MEMBERS if member.role == "expert")


def member(name: str) -> MemberInfo:
    """The entry of that name."""
    if name in MEMBERS:
        return MEMBERS[name]
    raise ConfigError(f"no playground member '{name}'", where="playground", remedy=did_you_mean(name, MEMBERS))


def model_path(name: str, world: str = "dev") -> Path:
    """The folder with the shipped weights, config, tokenizer and chat template of a member."""
    member(name)
    if world not in SEEDS:
        raise ConfigError(f"no playground world '{world}'", where="playground", remedy=did_you_mean(world, SEEDS))
    path = WEIGHTS / world / name
    if not (path / "model.safetensors").is_file():
        raise ConfigError(
            f"no weights of {name} for the world {world}",
            where="playground",
            why="the package ships trained weights of the world dev only",
            remedy="train them with moco.playground.recipe.build, or use the world dev",
        )
    return path
