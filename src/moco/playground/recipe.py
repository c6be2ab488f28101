"""The whole recipe: tokenizer, base in two stages, four experts, mentor, foreign. Deterministic and resumable.

``python -m moco.playground.recipe OUT --world dev`` trains everything: about 50 CPU-minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from moco.core.errors import ConfigError
from moco.playground import corpus
from moco.playground.lookup import single_token_words
from moco.playground.members import MEMBERS, member
from moco.playground.tokenizer import FOREIGN, SHARED, train_tokenizer
from moco.playground.world import make_world

if TYPE_CHECKING:
    from moco.playground.training import Progress, Schedule

Listener = Callable[["Progress"], None]
TOKENIZER_EXAMPLES = 30_000


@dataclass(frozen=True)
class Stage:
    """Token budget (at scale 1) and rates of one training run."""

    tokens: float
    muon_rate: float
    adam_rate: float
    decay: float
    tokens_per_step: int
    tokens_per_example: int = 85


_EXPERT = Stage(1.5e6, 0.01, 1e-3, 0.5, 4000)
STAGES: Mapping[str, Stage] = MappingProxyType(
    {
        "base-stage-1": Stage(18e6, 0.02, 1.5e-3, 0.3, 6000),
        "base": Stage(4e6, 0.015, 1.2e-3, 0.6, 6000),
        "alpha": _EXPERT,
        "beta": _EXPERT,
        "gamma": _EXPERT,
        "delta": _EXPERT,
        "mentor": Stage(1.5e6, 0.015, 1.5e-3, 0.5, 4000),
        "foreign": Stage(4e6, 0.02, 1.5e-3, 0.3, 4000, 110),
    }
)


@dataclass(frozen=True)
class Settings:
    """What identifies a build: a folder holds models of one setting only."""

    world: str
    seed: int
    scale: float


class Build:
    """One output folder and what has been made in it."""

    def __init__(self, out: Path, settings: Settings, on_progress: Listener | None = None, checkpoint_steps: int = 200) -> None:
        self.out, self.settings = out, settings
        self._on_progress, self._checkpoint_steps = on_progress, checkpoint_steps
        self._work = out / ".work"
        self._world = make_world(settings.world)
        self._claim()

    def _claim(self) -> None:
        record = self.out / "build.json"
        if record.exists():
            found = json.loads(record.read_text(encoding="utf-8"))
            if found != asdict(self.settings):
                raise ConfigError(
                    "the folder holds a playground of other settings",
                    where=str(record),
                    why=f"it was built with {found}",
                    remedy="choose another folder, or the same world, seed and scale",
                )
            return
        self._work.mkdir(parents=True, exist_ok=True)
        partial = self._work / "build.json"
        partial.write_text(json.dumps(asdict(self.settings)), encoding="utf-8")
        partial.replace(record)

    def make(self, name: str) -> Path:
        """Train a member, and first what it starts from; a finished one is left as it is."""
        member(name)
        path = self.out / name
        if not path.exists():
            makers = {"base": self._base, "mentor": self._mentor, "foreign": self._foreign}
            makers.get(name, self._expert)(name)
        return path

    def _seed(self, name: str) -> str:
        return f"{self.settings.world} {self.settings.seed} {name}"

    def _number(self, name: str) -> int:
        """A seed for a random start: a stable number from the settings and the name."""
        return zlib.crc32(self._seed(name).encode())

    def _tokenizer(self, foreign: bool = False) -> Any:
        from transformers import AutoTokenizer

        name = "tokenizer-foreign" if foreign else "tokenizer"
        path = self._work / name
        if not path.exists():
            count = max(300, int(TOKENIZER_EXAMPLES * min(1.0, self.settings.scale)))
            text = corpus.tokenizer_text(self._world, count, self._number(name))
            self._store(path, train_tokenizer(FOREIGN if foreign else SHARED, text))
        return AutoTokenizer.from_pretrained(path)

    def _material(self) -> corpus.Material:
        words = single_token_words(list(self._tokenizer().get_vocab()))
        return corpus.Material(self._world, words)

    def _store(self, path: Path, *parts: Any) -> None:
        """Write a folder whole or not at all."""
        partial = self._work / f"{path.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        for part in parts:
            part.save_pretrained(partial)
        partial.replace(path)

    def _schedule(self, name: str) -> Schedule:
        from moco.playground.training import Schedule

        stage = STAGES[name]
        return Schedule(
            tokens=max(1, int(stage.tokens * self.settings.scale)),
            muon_rate=stage.muon_rate,
            adam_rate=stage.adam_rate,
            decay=stage.decay,
            tokens_per_step=stage.tokens_per_step,
            seed=self._seed(name),
            tokens_per_example=stage.tokens_per_example,
        )

    def _train(self, name: str, path: Path, model: Any, tokenizer: Any, sampler: corpus.Sampler) -> None:
        import torch

        from moco.playground.training import train

        checkpoint = self._work / f"{name}.checkpoint"
        train(
            model, tokenizer, sampler, self._schedule(name), name=name, checkpoint=checkpoint,
            checkpoint_steps=self._checkpoint_steps, on_progress=self._on_progress,
        )  # fmt: skip
        self._store(path, model.to(torch.bfloat16), tokenizer)
        checkpoint.unlink(missing_ok=True)

    def _load(self, path: Path) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)

    def _base(self, name: str) -> None:
        from moco.playground.architecture import llama
        from moco.playground.circuit_init import prepare

        tokenizer, material = self._tokenizer(), self._material()
        first = self._work / "base-stage-1"
        if not first.exists():
            model = llama(len(tokenizer), self._number("base start"))
            prepare(model, previous=2, label_plane=1, seed=self._number("base circuit"))
            self._train("base-stage-1", first, model, tokenizer, corpus.first_stage(material))
        self._train(name, self.out / name, self._load(first), tokenizer, corpus.second_stage(material))

    def _expert(self, name: str) -> None:
        model = self._load(self.make("base"))
        mix = corpus.expert_mix(self._material(), MEMBERS[name].skills, corpus.EXPERT_OWN_SHARE, corpus.EXPERT_CARD_SHARE)
        self._train(name, self.out / name, model, self._tokenizer(), mix)

    def _mentor(self, name: str) -> None:
        from moco.playground.architecture import deepened

        model = deepened(self._load(self.make("base")))
        # No cards here: a mentor trained on them also composes two facts of its own, and two-hop questions would no
        # longer show what only collaboration can do.
        mix = corpus.expert_mix(self._material(), MEMBERS[name].skills, corpus.MENTOR_OWN_SHARE, 0.0)
        self._train(name, self.out / name, model, self._tokenizer(), mix)

    def _foreign(self, name: str) -> None:
        from moco.playground.architecture import qwen
        from moco.playground.circuit_init import prepare

        tokenizer = self._tokenizer(foreign=True)
        model = qwen(len(tokenizer), self._number("foreign start"))
        prepare(model, previous=3, label_plane=2, seed=self._number("foreign circuit"))
        mix = corpus.foreign_mix(self._material(), MEMBERS[name].skills)
        self._train(name, self.out / name, model, tokenizer, mix)


def build(
    out: Path,
    world: str = "dev",
    seed: int = 0,
    scale: float = 1.0,
    members: Sequence[str] | None = None,
    on_progress: Listener | None = None,
    *,
    checkpoint_steps: int = 200,
) -> dict[str, Path]:
    """Train the members (default: all) into ``out`` and return their folders.

    The result depends on world, seed and scale alone. An interrupted build continues from its last checkpoint to the
    same weights; finished members are skipped. ``scale`` shrinks every token budget. Once the base stands, two
    processes may build different members into the same folder.
    """
    if scale <= 0:
        raise ConfigError(f"scale is {scale}", where="playground build", why="it multiplies token budgets",
                          remedy="use a number above 0; 1 is the whole recipe")  # fmt: skip
    wanted = [member(name).name for name in (MEMBERS if members is None else members)]
    running = Build(Path(out), Settings(world, seed, scale), on_progress, checkpoint_steps)
    return {name: running.make(name) for name in wanted}


def _print(progress: Progress) -> None:
    share = min(1.0, progress.tokens / progress.tokens_in_all)
    rate = progress.tokens_per_second
    sys.stdout.write(f"{progress.name} {share:6.1%} loss {progress.loss:.4f} {rate:.0f} tokens/s\n")
    sys.stdout.flush()


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description="Train the playground's models.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--world", default="dev")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--members", nargs="*", default=None)
    chosen = parser.parse_args()
    build(chosen.out, chosen.world, chosen.seed, chosen.scale, chosen.members, _print)


if __name__ == "__main__":
    main()
