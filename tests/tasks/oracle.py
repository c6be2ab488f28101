"""A perfect answerer and a wrong one: every record's own gold, and golds that are not its own, in many phrasings.

The phrasings are ours; the records come from the files beside the repository, whose content never enters it. ``phrasings`` is
what the graders were written against; ``held_out`` was written after them and no grader was changed for it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from moco.core.errors import DataError
from moco.core.types import AnswerSpec
from moco.tasks import TASKS, Grade, Source, grade, load_task
from moco.tasks.graders import numeric
from moco.tasks.graders.math_text import number
from moco.tasks.graders.quantities import value_of, written

DATA = Path(__file__).parents[2].parent / "shared" / "data"
KINDS = ("multiple_choice", "label", "numeric", "math", "short_text")
DEFECTS = Path(__file__).with_name("oracle_defects.json")


@dataclass(frozen=True)
class Case:
    """One record as the oracle knows it: what is right, what is not, and how the answer is graded."""

    file: str
    id: str
    kind: str
    gold: str | list[str]
    spec: AnswerSpec
    neighbour: str | list[str] = ""
    """The gold of another record of the file."""

    @cached_property
    def right(self) -> str:
        """The right answer as a reply states it: labels joined by commas, the first alias."""
        if isinstance(self.gold, str):
            return self.gold
        return ", ".join(self.gold) if self.kind in ("multiple_choice", "label") else self.gold[0]

    @cached_property
    def text(self) -> str:
        """The text of the right options; the answer itself where there are none."""
        if self.kind != "multiple_choice":
            return self.right
        golds = [self.gold] if isinstance(self.gold, str) else self.gold
        return ", ".join(self.spec.choices[self.spec.labels.index(one)] for one in golds)

    @cached_property
    def wrong(self) -> list[str]:
        """Answers that are not right, as a reply states them."""
        golds = [self.gold] if isinstance(self.gold, str) else list(self.gold)
        if self.spec.labels and self.kind in ("multiple_choice", "label"):
            return [label for label in self.spec.labels if label not in golds]
        if self.kind == "label":
            turned = " ".join(reversed(self.right.split()))
            return [turned] if turned != self.right else []
        if self.kind in ("numeric", "math"):
            return _perturbed(self) + self._foreign
        return self._foreign

    @cached_property
    def _foreign(self) -> list[str]:
        """The neighbour's gold, where it is another answer."""
        if not self.neighbour:
            return []
        other = self.neighbour if isinstance(self.neighbour, str) else self.neighbour[0]
        golds = [self.gold] if isinstance(self.gold, str) else list(self.gold)
        if self.kind == "short_text":
            fold = [one.casefold() for one in golds]
            return [] if any(one in other.casefold() or other.casefold() in one for one in fold) else [other]
        if self.kind == "numeric":
            return [] if _near(numeric.canonical(other), [numeric.canonical(one) for one in golds], self.spec) else [other]
        return [] if other in golds or number(other) is None else [other]

    def grade(self, reply: str) -> Grade:
        return grade(self.kind, reply, self.gold, self.spec)


def _near(key: str, golds: list[str], spec: AnswerSpec) -> bool:
    return any(numeric.KIND.same(key, gold, spec) for gold in golds)


def _perturbed(case: Case) -> list[str]:
    """A sign flip and moved decimal points of a gold that is one number."""
    value = _value(case)
    if value is None or value == 0:
        return []
    forms = [written(x) for x in (-value, value * 10, value / 10)]
    return [one for one in forms if "/" not in one]


def _value(case: Case) -> Fraction | None:
    if case.kind == "numeric":
        return value_of(numeric.canonical(case.right))
    return number(case.right.replace("$", "").replace("\\", "")) if case.right.strip("$\\").replace(".", "").isdigit() else None


Phrasing = Callable[[Case], str]


def _other(case: Case) -> str:
    """Another option by label and text, for reasoning that names it."""
    golds = [case.gold] if isinstance(case.gold, str) else case.gold
    for label, text in zip(case.spec.labels, case.spec.choices, strict=True):
        if label not in golds:
            return f"At first sight option {label} ({text}) seems possible, and {label} is tempting."
    return "There is much to be said."


def _listing(case: Case) -> str:
    return "\n".join(f"{label}. {text}" for label, text in zip(case.spec.labels, case.spec.choices, strict=True))


EVERY: dict[str, Phrasing] = {
    "bare": lambda c: c.right,
    "bare, bold": lambda c: f"**{c.right}**",
    "answer line": lambda c: f"Answer: {c.right}",
    "the correct answer is:": lambda c: f"The correct answer is: {c.right}",
    "the answer is": lambda c: f"The answer is {c.right}.",
    "bold answer word": lambda c: f"**Answer:** {c.right}",
    "final answer, heading": lambda c: f"### Final answer\n\n{c.right}",
    "box": lambda c: f"\\boxed{{{c.right}}}",
    "box in math": lambda c: f"So we are done: $\\boxed{{{c.right}}}$.",
    "hashes": lambda c: f"Some steps.\n#### {c.right}",
    "tag": lambda c: f"<answer>{c.right}</answer>",
    "JSON": lambda c: json.dumps({"reasoning": "short", "answer": c.right}, ensure_ascii=False),
    "thought about": lambda c: f"<think>Perhaps {(c.wrong or ['nothing'])[0]}?</think>\nAnswer: {c.right}",
    "corrected": lambda c: f"Answer: {(c.wrong or ['?'])[0]}\nNo, that cannot be right.\nAnswer: {c.right}",
    "upstream's trap": lambda c: f"To find the answer, we need to think about it step by step. The answer is {c.right}.",
    "run-on": lambda c: f"Answer: {c.right}\n\nQuestion: And what about this one?\nAnswer: {(c.wrong or ['none'])[0]}",
    "Spanish": lambda c: f"La respuesta correcta es: {c.right}",
    "German": lambda c: f"Die Antwort lautet: {c.right}",
    "Chinese": lambda c: f"答案：{c.right}",
}
CHOICE: dict[str, Phrasing] = {
    "in parentheses": lambda c: f"({c.right})",
    "with a stop": lambda c: f"{c.right}.",
    "label) text": lambda c: f"{c.right}) {c.text}",
    "the answer is (label)": lambda c: f"The answer is ({c.right}).",
    "bold label) text": lambda c: f"The answer is **{c.right}) {c.text}**.",
    "bare text": lambda c: c.text,
    "answer by text": lambda c: f"Answer: {c.text}",
    "reasoning for another": lambda c: f"{_other(c)}\n\nAnswer: {c.right}",
    "reasoning, then so": lambda c: f"{_other(c)} But it does not hold. So the answer is {c.right}.",
    "options restated": lambda c: f"The options are:\n{_listing(c)}\n\nThe correct answer is {c.right}.",
    "options restated after": lambda c: f"Answer: {c.right}\n\nOptions:\n{_listing(c)}",
    "text macro": lambda c: f"$\\boxed{{\\text{{{c.right}}}}}$",
}
NUMBER: dict[str, Phrasing] = {
    "with a unit": lambda c: f"Answer: {c.right} apples",
    "in dollars": lambda c: f"Answer: ${c.right}",
    "reasoning before": lambda c: f"There are 3 of them and then 12 more, which makes 15 in part 1.\nSo the total is {c.right}.",
    "variable": lambda c: f"Therefore x = {c.right}",
}
MATH: dict[str, Phrasing] = {
    "inline": lambda c: f"The answer is ${_undressed(c)}$.",
    "Minerva": lambda c: f"Final Answer: The final answer is ${_undressed(c)}$. I hope it is correct.",
    "display": lambda c: f"Thus\n\\[\n{_undressed(c)}\n\\]",
    "wrong box first": lambda c: f"I first had \\boxed{{977}}, which is wrong, so \\boxed{{{c.right}}}",
    "fbox": lambda c: f"\\fbox{{{c.right}}}",
    "unclosed": lambda c: f"\\boxed{{{c.right}",
}
TEXT: dict[str, Phrasing] = {
    "sentence": lambda c: f"As far as I know it is {c.right}.",
    "quoted": lambda c: f'Answer: "{c.right}"',
    "lower case": lambda c: f"answer: {c.right.lower()}",
    "then a reason": lambda c: f"Answer: {c.right}\nThis is well known.",
}
WORD: dict[str, Phrasing] = {
    "with a stop": lambda c: f"{c.right}.",
    "then a reason": lambda c: f"Answer: {c.right}\nThis follows from the text.",
    "lower case": lambda c: f"answer: {c.right.lower()}",
    "first word": lambda c: f"{c.right}, because the text says as much.",
    "reasoning for another": lambda c: f"One might say {(c.wrong or ['so'])[0]} at first. Therefore, the answer is {c.right}.",
}
SEQUENCE: dict[str, Phrasing] = {
    "code": lambda c: f"Answer: `{c.right}`",
    "reasoning before": lambda c: f"Step by step we sort it out.\nSo the answer is {c.right}.",
    "bold in a sentence": lambda c: f"So the answer is **{c.right}**.",
    "last line": lambda c: f"We go through it step by step.\n\n{c.right}",
}


SECOND_EVERY: dict[str, Phrasing] = {
    "my pick, dash": lambda c: f"After weighing everything up, my final answer is — {c.right}",
    "answer in capitals, bold": lambda c: f"Let me work through this.\n\n**FINAL ANSWER: {c.right}**",
    "French": lambda c: f"En conclusion, la réponse est : {c.right}",
    "Portuguese": lambda c: f"Portanto, a resposta final é: {c.right}",
    "Italian": lambda c: f"La risposta esatta è: {c.right}",
    "Russian": lambda c: f"Итак, правильный ответ: {c.right}",
    "Japanese": lambda c: f"よって、正解は「{c.right}」です。",
    "Korean": lambda c: f"따라서 정답: {c.right}",
    "doubt, then a line": lambda c: f"Hmm, wait. Let me double-check that. Yes, it holds.\n\nAnswer: {c.right}",
    "italic": lambda c: f"The answer: *{c.right}*",
    "JSON in a fence": lambda c: (
        "```json\n" + json.dumps({"final_answer": c.right, "confidence": "high"}, ensure_ascii=False, indent=2) + "\n```"
    ),
    "XML": lambda c: f"<reasoning>I looked at all of it.</reasoning>\n<final_answer>{c.right}</final_answer>",
    "thanks at the end": lambda c: f"Answer: {c.right}\n\nLet me know if you would like more detail!",
    "quote block": lambda c: f"> Answer: {c.right}",
}
SECOND: dict[str, dict[str, Phrasing]] = {
    "multiple_choice": {
        "chosen option": lambda c: f"I have to choose option {c.right} here.",
        "letter first, then why": lambda c: f"{c.right}. This is the option that fits the description.",
        "bracketed in a sentence": lambda c: f"That makes [{c.right}] the right choice.",
        "colon and text": lambda c: f"Correct option: {c.right}: {c.text}",
        "others dismissed": lambda c: f"{_other(c)} On reflection it does not fit, which means the answer should be {c.right}.",
        "text in a sentence": lambda c: f'The right answer here is "{c.text}".',
        "text, then label": lambda c: f"{c.text} ({c.right})",
    },
    "label": {
        "my verdict": lambda c: f"My verdict: {c.right}",
        "I would answer": lambda c: f"Considering the evidence, I would answer {c.right}.",
        "judged": lambda c: f"Judgement: **{c.right}**",
        "in quotes": lambda c: f'I would label it as "{c.right}".',
    },
    "numeric": {
        "equals at the end": lambda c: f"Adding up everything gives us a total = {c.right}",
        "altogether": lambda c: f"Altogether that makes {c.right} in the end.",
        "bold in a sentence": lambda c: f"The result comes to **{c.right}**.",
        "euros": lambda c: f"It costs €{c.right}.",
    },
    "math": {
        "equals at the end": lambda c: f"Simplifying, we find that the value is \\(\n{_undressed(c)}\n\\).",
        "double dollars": lambda c: f"Hence the result:\n\n$${_undressed(c)}$$",
        "boxed, then checked": lambda c: f"\\boxed{{{c.right}}}\n\nThis agrees with a quick check.",
        "boxed in bold": lambda c: f"**Final Answer:** $\\boxed{{{c.right}}}$",
    },
    "short_text": {
        "believe": lambda c: f"I believe the answer you are looking for is {c.right}.",
        "bold in a sentence": lambda c: f"That would be **{c.right}**.",
        "with a clause": lambda c: f"{c.right}, if I remember correctly.",
        "upper case": lambda c: f"{c.right.upper()}",
    },
}
"""Written after the graders and first measured as a held-out set (19,893 of 187,717 replies graded wrong, 10.6 %); then the
graders were mended for what it showed, so it is held out no more."""


THIRD_EVERY: dict[str, Phrasing] = {
    "in conclusion": lambda c: f"In conclusion, having checked each step, the answer I arrive at is {c.right}.",
    "closing line": lambda c: f"That settles it.\n\nFinal answer => {c.right}",
    "Polish": lambda c: f"Prawidłowa odpowiedź to: {c.right}",
    "Dutch": lambda c: f"Het juiste antwoord is {c.right}.",
    "Turkish": lambda c: f"Doğru cevap: {c.right}",
    "Vietnamese": lambda c: f"Vậy đáp án là: {c.right}",
    "table row": lambda c: f"| step | result |\n|---|---|\n| final answer | {c.right} |",
    "list item": lambda c: f"- Reasoning: done above\n- Answer: {c.right}",
    "asks back": lambda c: f"Answer: {c.right}. Does that help?",
    "underlined": lambda c: f"__Answer__: __{c.right}__",
    "TeX bold": lambda c: f"The final answer is $\\mathbf{{{_undressed(c)}}}$.",
    "apology": lambda c: f"Sorry for the confusion earlier. The correct answer is {c.right}.",
    "final response": lambda c: f"After careful thought my final response would be: {c.right}",
    "said afterwards": lambda c: f"{c.right}\n\n(That is my final answer.)",
    "conclusion heading": lambda c: f"**Conclusion**\n{c.right}",
    "result": lambda c: f"Result: {c.right}",
    "code mark": lambda c: f"The final answer: `{c.right}`",
    "therefore must be": lambda c: f"Therefore the correct answer must be {c.right}.",
    "Italian": lambda c: f"La risposta giusta è {c.right}.",
    "Japanese": lambda c: f"正解は{c.right}です。",
    "final": lambda c: f"Step 1: read it.\nStep 2: think.\n\nFinal: {c.right}",
}
THIRD: dict[str, dict[str, Phrasing]] = {
    "multiple_choice": {
        "would select": lambda c: f"I would select option {c.right}.",
        "because": lambda c: f"Option {c.right}, because the others fail.",
        "would be my choice": lambda c: f"{c.right} would be my choice.",
        "must be": lambda c: f"Putting this together, it must be {c.right}.",
    },
    "label": {
        "verdict": lambda c: f"My verdict is {c.right}.",
        "inverted": lambda c: f"{c.right} it is.",
        "hence": lambda c: f"The passage leaves little doubt. Hence: {c.right}.",
        "colon at the end": lambda c: f"Classification: {c.right.upper()}",
        "it is": lambda c: f"Taken as a whole, it is {c.right}.",
    },
    "numeric": {
        "total": lambda c: f"That gives a total of {c.right}.",
        "in the end": lambda c: f"We get {c.right} in the end.",
        "makes": lambda c: f"3 groups of some, plus the rest, makes {c.right}.",
        "there are": lambda c: f"In the end there are {c.right} left.",
        "approximately": lambda c: f"The answer is approximately {c.right}.",
    },
    "math": {
        "equals": lambda c: f"Therefore, the desired quantity equals ${_undressed(c)}$.",
        "so the value": lambda c: f"So the value we were asked for is ${_undressed(c)}$, and we are done.",
    },
    "short_text": {
        "it was": lambda c: f"It was {c.right}, according to most sources.",
        "called": lambda c: f"This is known as {c.right}.",
    },
}
"""Two more sets, each written after the graders had been mended for the ones before and first measured as a held-out set: 10,217
of 147,584 replies graded wrong (6.9 %: two wordings of choices, table rows, a Vietnamese line), then 6,937 of 110,336 (6.3 %: a
`final response`, a Japanese line, an announced last line); then the graders were mended for them too.
Four forms that a few records make ambiguous (an option called "G", a text that names another letter) are not in the sweep."""


def _undressed(case: Case) -> str:
    """A gold without currency, since a dollar sign inside a formula ends it."""
    return case.right.replace("\\$", "").replace("$", "")


def phrasings(case: Case) -> dict[str, Phrasing]:
    """The phrasings that fit a case."""
    if case.kind == "label":
        own = WORD if case.spec.labels else SEQUENCE
        own = own if case.spec.labels else {**own, "with a stop": WORD["with a stop"]}
    else:
        own = {"multiple_choice": CHOICE, "numeric": NUMBER, "math": MATH, "short_text": TEXT}[case.kind]
    if case.kind != "label" or case.spec.labels:
        own = {**own, **SECOND[case.kind], **THIRD[case.kind]}
    every = {**EVERY, **SECOND_EVERY, **THIRD_EVERY, **own}
    odd = set()
    if case.kind == "math" or (case.kind == "label" and not case.spec.labels):  # a font macro around brackets, or around a unit
        odd |= {"TeX bold", "said afterwards"}
    return {name: form for name, form in every.items() if name not in odd}


WRONG: dict[str, Callable[[str], str]] = {
    "bare": lambda w: w,
    "answer line": lambda w: f"Answer: {w}",
    "box": lambda w: f"\\boxed{{{w}}}",
    "the answer is": lambda w: f"The answer is {w}.",
}


def cases() -> Iterator[Case]:
    """Every gradable record of every file of the data folder, by task and file."""
    seen: set[tuple[str, str, str]] = set()
    for name in (n for n in TASKS.names() if "/" not in n):
        entry = TASKS.get(name)
        variants = [None, *getattr(entry, "variants", {})]
        for folder in ("raw", "uniform", "fixtures"):
            for variant in variants:
                yield from _of_file(name, folder, variant, seen)


def _of_file(name: str, folder: str, variant: str | None, seen: set[tuple[str, str, str]]) -> Iterator[Case]:
    try:
        task = load_task(name, source=Source(data_dir=DATA / folder, variant=variant))
    except DataError:
        return
    records = [r for r in (*task.dev, *task.test) if task.kind_of(r) in KINDS]
    for i, record in enumerate(records):
        kind, gold, spec = task.kind_of(record), task.gold_of(record), task.spec_of(record)
        key = (folder, kind, json.dumps([record.question, record.context, record.choices, gold], sort_keys=True))
        if key not in seen:
            seen.add(key)
            other = records[(i * 7 + 1) % len(records)]
            neighbour = task.gold_of(other) if task.kind_of(other) == kind else ""
            yield Case(f"{folder}/{name}", record.id, kind, gold, spec, neighbour)


def sampled(every: list[Case], per_file: int, seed: int = 0) -> list[Case]:
    """At most ``per_file`` cases of each file, the same ones each time."""
    by_file: dict[str, list[Case]] = {}
    for case in every:
        by_file.setdefault(case.file, []).append(case)
    rng = random.Random(seed)
    return [case for own in by_file.values() for case in (own if len(own) <= per_file else rng.sample(own, per_file))]


@dataclass(frozen=True)
class Miss:
    """A phrasing that was graded the wrong way."""

    case: Case
    phrasing: str
    reply: str
    got: Grade


def misses_right(case: Case, forms: dict[str, Phrasing] | None = None) -> Iterator[Miss]:
    """The phrasings of the right answer that are not graded right."""
    for name, phrase in (phrasings(case) if forms is None else forms).items():
        reply = phrase(case)
        got = case.grade(reply)
        if got.score != 1:
            yield Miss(case, name, reply, got)


def misses_wrong(case: Case) -> Iterator[Miss]:
    """The phrasings of a wrong answer that are graded right."""
    for wrong in case.wrong:
        for name, phrase in WRONG.items():
            reply = phrase(wrong)
            got = case.grade(reply)
            if got.score != 0:
                yield Miss(case, f"wrong, {name}", reply, got)


HELD_OUT_EVERY: dict[str, Phrasing] = {
    "would say": lambda c: f"So I'd say it's {c.right}.",
    "dash": lambda c: f"{c.right} — final.",
    "short cue": lambda c: f"Ans: {c.right}",
    "French": lambda c: f"La bonne réponse est {c.right}.",
    "Russian": lambda c: f"Правильный ответ: {c.right}",
    "italic heading": lambda c: f"*Answer*\n\n{c.right}",
    "confident": lambda c: f"I am confident in {c.right} as the answer.",
    "after checking": lambda c: f"Answer (after checking): {c.right}",
    "two lines": lambda c: f"Which leaves one possibility.\n{c.right}",
    "hoped": lambda c: f"I hope this helps! The answer again: {c.right}",
}
"""Written last, and first measured with 9,935 of 96,540 replies graded wrong (10.3 %), nearly all of two wordings of choices.
Both (`the answer again:`, `confident in`) are read since; docs/graders.md has both figures."""


def held_out(case: Case) -> dict[str, Phrasing]:
    """The held-out phrasings that fit a case. Sequences have no phrasing of their own."""
    return HELD_OUT_EVERY
