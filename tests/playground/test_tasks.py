"""Records of the playground: reproducible, disjoint, answerable, and worded as in training."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from moco.core.errors import ConfigError
from moco.playground import MEMBERS, TASKS, make_world, model_path, prompt_template, records, render
from moco.playground.corpus import Material, expert_mix, first_stage, second_stage
from moco.playground.exercise import LETTER_ONLY_CUES, LINE_STYLES, held_out, side
from moco.playground.facts import PHRASINGS, fact_choice
from moco.playground.skills import SKILLS
from moco.playground.templates import DESCRIPTIONS

NAMES = sorted(TASKS)
PINNED_CITY = ("Kretux", {"river": "Pilis", "metal": "steel", "dish": "pie"})
PINNED_CREATURE = ("Sarin", {"color": "blue", "food": "honey", "home": "Zonom"})
COUNTS = {"playground/mixed": (200, 360)}


@pytest.mark.parametrize("name", NAMES)
def test_records_are_the_same_on_every_call_and_in_another_process(name: str) -> None:
    here = records(name)
    assert here == records(name)
    code = f"import json; from moco.playground import records; print(json.dumps(records({name!r})))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == here


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("world", ["dev", "release"])
def test_counts_and_answers(name: str, world: str) -> None:
    found = records(name, world)
    dev, test = COUNTS.get(name, (100, 200))
    assert [record["split"] for record in found] == ["dev"] * dev + ["test"] * test
    assert (TASKS[name].count("dev"), TASKS[name].count("test")) == (dev, test)
    assert len({record["id"] for record in found}) == len(found)
    for record in found:
        if record["kind"] == "multiple_choice":
            assert record["answer"] in record["choices"]
            assert len(set(record["choices"].values())) == len(record["choices"]) == 4
        else:
            assert "choices" not in record and record["answer"].strip() == record["answer"] != ""
        if record["kind"] == "numeric":
            int(record["answer"])


def test_math_answers_are_right() -> None:
    for record in records("playground/math"):
        numbers = [int(word) for word in record["question"].replace("?", " ").replace(".", " ").split() if word.isdigit()]
        assert len(numbers) == 2
        a, b = numbers
        assert int(record["answer"]) == (a + b if record["meta"]["task"] == "add" else a * b)


def test_fact_answers_are_true_in_their_world() -> None:
    world = make_world("release")
    for record in records("geo", "release"):
        found = [city for city in world.special["geo"] if city in record["question"]]
        attribute = next(a for a in world.attributes("geo") if a in record["question"])
        assert record["answer"] in {world.facts["geo"][city][attribute] for city in found}


def test_no_list_question_holds_the_article_a() -> None:
    # Comparisons that drop articles would take 'c a b' for 'c b a'.
    for record in records("playground/lists"):
        assert " a " not in f" {record['answer']} "


def test_dev_and_test_share_no_question_in_any_task() -> None:
    prompts: dict[str, set[str]] = {"dev": set(), "test": set()}
    for name in NAMES:
        for record in records(name):
            prompts[record["split"]].add(render(record))
    assert not prompts["dev"] & prompts["test"]


def test_training_never_asks_a_question_of_the_tasks() -> None:
    asked = {record["question"] for name in NAMES for record in records(name)}
    material = Material(make_world())
    mixes = [first_stage(material), second_stage(material)]
    mixes += [expert_mix(material, member.skills, 0.6, 0.08) for member in MEMBERS.values() if len(member.skills) > 1]
    rng = random.Random(5)
    for mix in mixes:
        for step in range(4000):
            example = mix(rng, step / 4000)
            if example.task not in ("look", "pick"):
                assert example.question not in asked, example


def test_held_out_sides() -> None:
    sides = {key: side(key) for key in map(str, range(4000))}
    assert set(sides.values()) == {"train", "dev", "test"}
    assert all((where != "train") == held_out(key) for key, where in sides.items())


def test_templates_render_the_trained_prompt_forms() -> None:
    form = prompt_template("playground/choice")
    assert form["choice_line"] in LINE_STYLES and form["letter_only"] in LETTER_ONLY_CUES
    for record in records("playground/choice"):
        lines = "\n".join(form["choice_line"].format(label=label, text=text) for label, text in record["choices"].items())
        assert form["template"].format(question=record["question"], choices=lines) == render(record)
    assert prompt_template("math")["template"].format(question="What is 1 + 2?") == "What is 1 + 2?"
    # A training example in the tasks' own line style is rendered to the same bytes.
    rng, world, same = random.Random(0), make_world(), 0
    for _ in range(60):
        example = fact_choice(rng, world, "geo", True)
        same += example.prompt == render({"question": example.question, "choices": dict(example.choices)})
    assert same >= 5


def test_fact_questions_use_known_phrasings_or_say_so() -> None:
    starts = {form.split("{")[0] for form in PHRASINGS}
    for record in records("playground/bio"):
        if record["meta"]["wording"] == "trained":
            assert any(record["question"].startswith(start) for start in starts)
    assert {record["meta"]["wording"] for record in records("playground/bio")} == {"trained", "unseen"}


def test_mixed_has_every_skill_and_kind() -> None:
    test = [record for record in records("playground/mixed") if record["split"] == "test"]
    assert {record["kind"] for record in test} == {"multiple_choice", "numeric", "short_text"}
    assert {record["meta"]["skill"] for record in test} == {*SKILLS, "hop"}
    # any prefix is a fair sample
    assert {record["meta"]["skill"] for record in test[:60]} == {*SKILLS, "hop"}


def test_release_differs_from_dev() -> None:
    assert make_world("dev").facts != make_world("release").facts
    for name in NAMES:
        dev = {record["question"] for record in records(name, "dev")}
        release = {record["question"] for record in records(name, "release")}
        assert len(dev & release) < len(dev) / 10


def test_the_world_dev_is_the_one_the_shipped_weights_know() -> None:
    world = make_world("dev")
    city, creature = world.special["geo"][0], world.special["bio"][0]
    assert (city, dict(world.facts["geo"][city])) == PINNED_CITY
    assert (creature, dict(world.facts["bio"][creature])) == PINNED_CREATURE


def test_members_have_weights_and_words_of_their_own() -> None:
    for name in MEMBERS:
        path = model_path(name)
        assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= {
            file.name for file in path.iterdir()
        }
        assert not any(file.is_symlink() for file in path.iterdir())
    said = [phrase for member in MEMBERS.values() for phrases in DESCRIPTIONS.values() for phrase in phrases
            if phrase in member.description]  # fmt: skip
    assert len(said) == len(set(said)) >= 14


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ConfigError, match="alpha"):
        model_path("alpa")
    with pytest.raises(ConfigError, match="release"):
        model_path("alpha", "release")
    with pytest.raises(ConfigError, match="no playground world"):
        model_path("alpha", "prod")
    with pytest.raises(ConfigError, match="no playground world"):
        records("math", "prod")
    with pytest.raises(ConfigError, match="did you mean 'playground/math'"):
        records("playground/maths")


def test_import_is_light() -> None:
    code = "import sys, moco.playground as p; p.records('mixed'); assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
