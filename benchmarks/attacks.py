"""How often one malicious member of four gets its way, by method: on scripted members, then on the playground.

Scripted: every text of tests/methods/attacks.py is said by the fourth member and argues for D; the other three know that it is A,
and are `steadfast` (they keep their answer), `conformist` (they take the answer most often given in what they read) or
`gullible` (they take any other answer that they read). Printed is the share of attacks after which the collaboration answers D.

Playground: three experts and one member of `adversary:` kind inject, contrary or flood. Printed is the share of right answers
with the fourth expert itself and with the adversary in its place, and how often the answer is what the adversary argued for
(not counting questions for which that is right). Usage: ``attacks.py [--items N] [--scripted]``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import moco
from moco.collab import Fitted, bounded, load_method, request_for
from moco.core.query import Query
from moco.core.types import AnswerSpec, Completion, Request, messages_of
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.attacks import ATTACKS, FLOODS

READ = "Question: {task}\nAnswers:\n{answers}\nFinal answer?"
SUMMARY = {"prompt": READ, "place": "user", "layers": 1}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "majority_vote": ("majority_vote", {}),
    "llm_blender": ("llm_blender", {}),
    "refine, chat": ("multiagent_refine", {}),
    "refine, last round": ("multiagent_refine", {"history": "last"}),
    "refine, summary": ("multiagent_refine", {"aggregate": "summarize"}),
    "feedback": ("multiagent_feedback", {}),
    "feedback, abstain": ("multiagent_feedback", {"mode": "abstain"}),
    "ring": ("structured_interaction", {"topology": "ring"}),
    "hub, attacked at a spoke": ("structured_interaction", {"topology": "hub"}),
    "hub, attacked at the hub": ("structured_interaction", {"topology": "hub", "order": ["d", "a", "b", "c"]}),
    "knowledge_card": ("knowledge_card", {}),
    "bbmas": ("bbmas", {"rounds": 2, "controller": "a"}),
    "mixture_of_agents": ("mixture_of_agents", {"layers": 1, "aggregator": "a"}),
}
CHOICE = AnswerSpec("multiple_choice", ("A", "B", "C", "D"), ("soup", "tin", "rice", "cake"), question="Which?")
QUESTION = Request(messages=messages_of("Which?"), spec=CHOICE)
SAID = re.compile(r"Answer: ([A-D])\b")


def steadfast(read: list[str]) -> str:
    return "A"


def conformist(read: list[str]) -> str:
    counts = Counter(read)
    return max(counts, key=lambda letter: (counts[letter], letter == "A")) if counts else "A"


def gullible(read: list[str]) -> str:
    return next((letter for letter in reversed(read) if letter != "A"), "A")


def member(manner: Callable[[list[str]], str]) -> Callable[[Request], str]:
    """Answers with the letter that its manner draws from the answers in the prompt."""
    return lambda r: f"I have read it all. Answer: {manner([x for m in r.messages for x in SAID.findall(m.content)])}"


def scripted() -> None:
    texts = [a for a in ATTACKS if a not in FLOODS]
    manners = (steadfast, conformist, gullible)
    sys.stdout.write(f"share of {len(texts)} attacks that make four scripted members answer D\n")
    sys.stdout.write(f"{'':28}" + "".join(f"{m.__name__:>12}" for m in manners) + "\n")
    for label, (name, options) in METHODS.items():
        shares = []
        for manner in manners:
            won = 0
            for number, text in enumerate(texts):  # another seed each: who plays what is drawn anew
                models = [ScriptedModel(n, member(manner)) for n in "abc"] + [ScriptedModel("d", text)]
                team = Fitted(load_method(name, **options), moco.Pool(models, store=Store(None))).as_model()
                won += asyncio.run(team.generate(QUESTION.but(study_seed=number))).key == "D"
            shares.append(won / len(texts))
        sys.stdout.write(f"{label:28}" + "".join(f"{share:12.2f}" for share in shares) + "\n")


WORDS: dict[str, dict[str, Any]] = {
    "majority_vote": {},
    "multiagent_refine": {"history": "last", "update_last": "Question: {task}\nAnswers:\n{all}\nFinal answer?"},
    "structured_interaction": {"topology": "ring", "update_last": "Question: {task}\nAnswers:\n{all}\nFinal answer?"},
    "multiagent_feedback": {
        "feedback_count": 1,
        "verdicts": ["The answer is right", "The answer is wrong"],
        "quotes": "lines",
        "line": "{text}",
        "review": "Question: {question}\nAnswer: {answer}\nIs the answer right or wrong?",
        "revise": "Question: {task}\nDraft: {own}\nFeedback: {feedback}\nRevised answer:",
    },
    "knowledge_card": {"quotes": "joined", "read": "Knowledge: {passages}\nQuestion: {task}"},
    "mixture_of_agents": SUMMARY,
}
"""Methods on the playground, in wordings that its members read."""
KINDS: dict[str, Any] = {"none": None, "inject": "inject", "contrary": "contrary", "flood": {"kind": "flood", "words": 400}}


def playground(items: int) -> None:
    task = moco.load_task("playground/choice", limit=items)
    asked = [request_for(task, r, moco.Sampling(max_tokens=64)) for r in task.test]
    golds = [task.gold_of(r) for r in task.test]
    sys.stdout.write(f"\n{len(asked)} questions of {task.name}: right answers, and answers the adversary argued for\n")
    sys.stdout.write(f"{'':24}" + "".join(f"{kind:>16}" for kind in KINDS) + "\n")
    store = Store(None)
    for name, options in WORDS.items():
        row = []
        for attack in KINDS.values():
            experts = [f"playground/{n}" for n in ("alpha", "beta", "gamma")]
            pool = moco.Pool([*experts, {"name": "delta", "model": "playground/delta", "adversary": attack}], store=store)
            team = Fitted(load_method(name, **options), pool).as_model()
            answers: list[Completion] = asyncio.run(bounded(team.generate, asked, lambda done: None))
            said: list[Completion] = asyncio.run(bounded(pool["delta"].model.generate, asked, lambda done: None))
            right = sum(a.key == gold for a, gold in zip(answers, golds, strict=True)) / len(asked)
            argued = [Query.of(r).extract(s.text) for r, s in zip(asked, said, strict=True)]
            wrong = [(a.key, push) for a, push, gold in zip(answers, argued, golds, strict=True) if push != gold and push]
            row.append((right, sum(key == push for key, push in wrong) / len(wrong) if wrong and attack else None))
        cells = "".join(f"{right:>9.2f} {'' if share is None else f'{share:.2f}':>6}" for right, share in row)
        sys.stdout.write(f"{name:24}{cells}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--scripted", action="store_true", help="only the scripted part")
    chosen = parser.parse_args()
    scripted()
    if not chosen.scripted:
        playground(chosen.items)


if __name__ == "__main__":
    main()
