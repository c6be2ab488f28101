"""MATH: competition problems whose answer is the last box of a written solution."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table, Variant
from moco.tasks.record import Prompt

SUBJECTS = (
    *("algebra", "counting_and_probability", "geometry", "intermediate_algebra"),
    *("number_theory", "prealgebra", "precalculus"),
)


def last_box(solution: str) -> str:
    r"""The content of the last ``\boxed{...}`` (or ``\fbox{...}``, or ``\boxed 7``) with balanced braces. Raises Defect."""
    start = max(solution.rfind("\\boxed"), solution.rfind("\\fbox"))
    if start < 0:
        raise Defect("the solution has no box")
    rest = solution[start:].split("boxed" if solution.startswith("\\boxed", start) else "fbox", 1)[1].lstrip()
    if not rest.startswith("{"):
        found = rest.split("$", 1)[0].strip()
        if not found:
            raise Defect("the solution has an empty box")
        return found
    depth = 0
    for i, sign in enumerate(rest):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return rest[1:i]
    raise Defect("the box of the solution is never closed")


def rows(row: Native) -> list[dict[str, Any]]:
    """``solution`` holds the answer; MATH-500 has it apart. Ids are subject/number: numbers alone repeat."""
    data = row.data
    subject = str(data.get("type") or data.get("subject") or row.part or "unknown")
    slug = subject.lower().replace(" & ", "_and_").replace(" ", "_")
    number = row.part if row.part.isdigit() else row.number
    return [
        {
            "id": data.get("unique_id") or f"{slug}/{number}",
            "question": data["problem"],
            "answer": data.get("answer") or last_box(data["solution"]),
            "meta": {"subject": slug, "level": str(data.get("level", "")), "solution": data["solution"]},
        }
    ]


ENTRY = Entry(
    name="math",
    kind="math",
    metric="accuracy",
    measures="competition mathematics in seven subjects and five levels; the answer is a LaTeX expression",
    licence="MIT",
    paper="arXiv:2103.03874",
    convert=rows,
    hub=Hub("EleutherAI/hendrycks_math"),
    original="the MATH archive of its authors, folders test/SUBJECT and train/SUBJECT",
    tables=(
        Table("test", "test", ("test/*/*.json", "MATH/test/*/*.json"), SUBJECTS),
        Table("train", "dev", ("train/*/*.json", "MATH/train/*/*.json"), SUBJECTS, keep=1000),
    ),
    variants={
        "full": Variant("the 5,000 test problems"),
        "500": Variant(
            "MATH-500, the 500 test problems in wide use; dev is carved from them",
            hub=Hub("HuggingFaceH4/MATH-500"),
            tables=(Table("test", "", ("test*.jsonl",)),),
        ),
    },
    prompt=Prompt(answer_format={"math": "Solve it step by step, then end with the final answer in \\boxed{}."}),
    macro="subject",
    notes=("the released file has null golds, and ids that repeat over subjects",),
    examples=(
        Example(
            Native(
                {
                    "problem": "Made up: what is $\\frac{1}{2}$ of $\\frac{3}{4}$?",
                    "level": "Level 1",
                    "type": "Prealgebra",
                    "solution": "We multiply: $\\frac12\\cdot\\frac34=\\boxed{\\frac{3}{8}}$.",
                },
                7,
                "prealgebra",
            ),
            {"id": "7", "input": "Made up: what is $\\frac{1}{2}$ of $\\frac{3}{4}$?", "output": "\\frac{3}{8}"},
        ),
    ),
)
