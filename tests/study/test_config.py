"""The study file: what is read, and that every fault names its line, its key and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from moco.collab import METHODS, Method, register
from moco.core.errors import ConfigError, MocoError, PoolError
from moco.core.types import Sampling
from moco.models.store import Store
from moco.study import Study
from moco.study.config import MemberConfig, MethodConfig, StudyConfig, TaskConfig, load_study
from moco.study.loading import load_tasks, task_named
from moco.tasks import Prompt

DESIGN = """\
pool:
  - playground/alpha
  - {name: geo, model: playground/delta, description: "knows cities and lists"}
  - {model: Qwen/Qwen2.5-7B-Instruct, backend: vllm, cost: 7}
  - {name: panel, method: majority_vote, members: [playground/alpha, playground/beta], fit_on: playground/mixed}
aux: {judge: playground/beta, reward: {model: some/reward, backend: hf}}
tasks:
  - playground/mixed
  - {name: gsm8k, limit: 200}
  - {data: data/my.jsonl, kind: multiple_choice}
methods:
  - single
  - majority_vote
  - {name: cascade, quantile: 0.5, members: [geo, panel]}
  - {name: nudging, roles: {base: geo, nudge: alpha}, preset: paper, sampling: {temperature: 0}}
  - {name: sparta, fit_on: playground/mixed, rate: 1e-4}
  - {name: ./polite.py:Polite, label: polite}
seeds: [0, 1, 2]
sampling: {max_tokens: 512, temperature: 0.7, top_p: 0.9}
"""
SMALL = "pool: [a/x, a/y]\ntasks: [t]\nmethods: [m]\n"


def says(text: str, *parts: str, overrides: tuple[str, ...] = ()) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(text, overrides)
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    assert "remedy: " in message


def test_the_study_of_the_design() -> None:
    study = load_study(DESIGN)
    assert [m.name for m in study.pool] == ["alpha", "geo", "Qwen2.5-7B-Instruct", "panel"]
    assert study.pool[3].members == ("playground/alpha", "playground/beta") and study.pool[2].cost == 7
    assert study.aux["judge"].model == "playground/beta"
    assert [(t.name, t.limit) for t in study.tasks] == [("playground/mixed", None), ("gsm8k", 200), ("my", None)]
    assert study.methods[2] == MethodConfig(name="cascade", members=("geo", "panel"), options={"quantile": 0.5})
    assert study.methods[3].roles == {"base": "geo", "nudge": "alpha"} and study.methods[3].preset == "paper"
    assert study.methods[4].options == {"rate": 1e-4} and study.methods[5].label == "polite"
    assert study.seeds == (0, 1, 2) and study.baselines is True
    base = study.sampling.over()
    assert base == Sampling(512, 0.7, 0.9) and study.methods[3].sampling.over(base) == base.but(temperature=0.0)


def test_defaults_and_freezing() -> None:
    study = load_study(SMALL)
    assert study.seeds == (0,) and study.aux == {} and study.name is None
    assert study.sampling.over() == Sampling()
    with pytest.raises(ValidationError):
        study.seeds = (1,)


def test_a_dump_is_read_back_as_the_same_study() -> None:
    study = load_study(DESIGN)
    assert StudyConfig.model_validate(study.model_dump()) == study
    assert load_study(yaml.safe_dump(study.model_dump(mode="json"), allow_unicode=True)) == study


def test_files_bom_crlf_and_json(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_study(path) == load_study(str(path)) == load_study(SMALL)
    assert load_study('{"pool": ["a/x", "a/y"], "tasks": ["t"], "methods": ["m"]}') == load_study(SMALL)


def test_faults_of_files(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    says(str(path), str(path), "cannot be read", "No such file")
    says(str(tmp_path), "cannot be read")
    path.write_bytes(SMALL.encode() + b"name: caf\xe9\n")
    says(str(path), f"{path}:4:", "not UTF-8", "save the file as UTF-8")
    path.write_text(SMALL + "\nsede: [1]\n")
    says(str(path), f"{path}:5:sede", "unknown key 'sede'", "did you mean 'seeds'?")
    path.write_text("#" * (5 << 20))
    says(str(path), "longer than a study can be")


def test_same_model_twice_under_two_names() -> None:
    study = load_study("pool: [a/x, {name: again, model: a/x}]\ntasks: [t]\nmethods: [m]\n")
    assert [m.name for m in study.pool] == ["x", "again"]


def test_plain_texts_stay_texts() -> None:
    study = load_study("pool: [2024-01-01, 1:30, 'no', \"007\", '1e3']\ntasks: [t]\nmethods: [{name: m, on_: 0x10, x: ~}]\n")
    assert [m.name for m in study.pool] == ["2024-01-01", "1:30", "no", "007", "1e3"]
    assert study.methods[0].options == {"on_": 16, "x": None}


def test_roles_may_be_lists_and_aux() -> None:
    study = load_study(SMALL.replace("[m]", "[{name: m, roles: {judge: j, all: [x, a/y]}}]") + "aux: {j: b/z}\n")
    assert study.methods[0].roles == {"judge": "j", "all": ("x", "a/y")}


# Every entry: the text, the line:key, and words of the message or remedy.
MALFORMED = [
    ("", "study:1:study", "empty"),
    ("# only a comment\n", "study:1:study", "mapping"),
    ("- a\n- b\n", "study:1:study", "a study is a mapping"),
    ("pool: [a]\ntasks: [t]\n", "study:1:methods", "'methods' is missing"),
    ("pool: [a]\nmethods: [m]\n", "study:1:tasks", "'tasks' is missing"),
    ("tasks: [t]\nmethods: [m]\n", "study:1:pool", "add 'pool'"),
    (SMALL + "sampling: {temprature: 1}\n", "study:4:sampling.temprature", "did you mean 'temperature'?"),
    (SMALL + "smapling: {}\n", "study:4:smapling", "did you mean 'sampling'?"),
    (SMALL + "zzz: {}\n", "study:4:zzz", "known: aux, baselines"),
    (SMALL + "seeds: [1]\nseeds: [2]\n", "study:5:seeds", "given twice (first in line 4)"),
    (SMALL + "sampling:\n  top_k: 1\n  top_k: 2\n", "study:6:sampling.top_k", "keep one"),
    (SMALL + "seeds: []\n", "study:4:seeds", "give at least one entry"),
    ("pool: []\ntasks: [t]\nmethods: [m]\n", "study:1:pool", "is empty"),
    ("pool: [a]\ntasks: []\nmethods: [m]\n", "study:2:tasks", "is empty"),
    ("pool: [a]\ntasks: [t]\nmethods: []\n", "study:3:methods", "is empty"),
    ("pool:\ntasks: [t]\nmethods: [m]\n", "study:1:pool", "give a value"),
    ("pool: a\ntasks: [t]\nmethods: [m]\n", "study:1:pool", "wanted is a list"),
    ("pool: {x: a}\ntasks: [t]\nmethods: [m]\n", "study:1:pool", "wanted is a list"),
    ("pool:\n  - a\n  - no\ntasks: [t]\nmethods: [m]\n", "study:3:pool[1]", "quote it if it is a text ('no')"),
    ("pool:\n  - {name: yes, model: a}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].name", "reads yes as a truth value"),
    ("pool:\n  - true\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "quote it if it is a text: 'true'"),
    (SMALL + "on: 3\n", "study:4:study", "reads on as a truth value"),
    (SMALL + "baselines: off\n", "study:4:baselines", "write true or false"),
    (SMALL + "baselines: 1\n", "study:4:baselines", "true or false"),
    (SMALL + "3: x\n", "study:4:study", "quote it: '3'"),
    (SMALL + "? [a]\n: x\n", "study:4:study", "not a text"),
    ("pool:\n  - 7\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "quote it if it is a text: '7'"),
    ("pool:\n  - 007\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "not a plain finite number"),
    ("pool:\n  - {name: 1e3, model: a}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].name", "a number; wanted is a text"),
    ("pool:\n  - ' '\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "is empty"),
    ("pool:\n  - [a]\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "a text or keys and values"),
    ("pool:\n  - a/x\n  - b/x\ntasks: [t]\nmethods: [m]\n", "study:3:pool[1]", "member 'x' is there twice (also pool[0])"),
    ("pool:\n  - {modle: a}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].modle", "did you mean 'model'?"),
    ("pool:\n  - {name: a}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "exactly one"),
    ("pool:\n  - {model: a, method: b}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0]", "exactly one"),
    ("pool:\n  - {model: a, members: [b]}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].members", "remove 'members'"),
    ("pool:\n  - {method: v}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].members", "needs 'members'"),
    ("pool:\n  - {method: v, members: []}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].members", "at least one"),
    ("pool:\n  - {method: v, members: [a], adapter: p}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].adapter", "remove"),
    ("pool:\n  - {name: p, method: v, members: [p]}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].members", "contains itself"),
    (
        "pool:\n  - {name: p, method: v, members: [q]}\n  - {name: q, method: v, members: [p]}\ntasks: [t]\nmethods: [m]\n",
        "study:2:pool[0].members",
        "contains itself",
    ),
    ("pool:\n  - {model: a, cost: -1}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].cost", "give at least 0"),
    ("pool:\n  - {model: a, cost: .nan}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].cost", "not a plain finite number"),
    ("pool:\n  - {model: a, adversary: liar}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].adversary", "no attack 'liar'"),
    ("pool:\n  - {name: c, cell: runs/x}\ntasks: [t]\nmethods: [m]\n", "study:2:pool[0].cell", "does not support 'cell' yet"),
    (SMALL + "pools: {a: [b]}\n", "study:4:pools", "this version does not support 'pools' yet"),
    (SMALL + "adversary: x\n", "study:4:adversary", "this version does not support 'adversary' yet"),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, tune: {g: [1]}}\n", "study:4:methods[0].tune", "does not support 'tune'"),
    ("pool: [a]\ntasks:\n  - {name: t, limit: -5}\nmethods: [m]\n", "study:3:tasks[0].limit", "give at least 1"),
    ("pool: [a]\ntasks:\n  - {name: t, limit: 0}\nmethods: [m]\n", "study:3:tasks[0].limit", "is 0"),
    ("pool: [a]\ntasks:\n  - {name: t, limit: 2.5}\nmethods: [m]\n", "study:3:tasks[0].limit", "whole number"),
    ("pool: [a]\ntasks:\n  - {name: t, limit: '5'}\nmethods: [m]\n", "study:3:tasks[0].limit", "without quotes"),
    ("pool: [a]\ntasks:\n  - {name: t, limit: true}\nmethods: [m]\n", "study:3:tasks[0].limit", "is true"),
    ("pool: [a]\ntasks:\n  - {name: t, limt: 5}\nmethods: [m]\n", "study:3:tasks[0].limt", "did you mean 'limit'?"),
    ("pool: [a]\ntasks:\n  - {limit: 5}\nmethods: [m]\n", "study:3:tasks[0]", "neither 'name' nor 'data'"),
    ("pool: [a]\ntasks:\n  - {name: t, kind: math}\nmethods: [m]\n", "study:3:tasks[0].kind", "give 'data"),
    ("pool: [a]\ntasks:\n  - t\n  - t\nmethods: [m]\n", "study:4:tasks[1]", "task 't' is there twice"),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - m\n  - {name: m, k: 2}\n", "study:5:methods[1]", "'label' of its own"),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - {nmae: m}\n", "study:4:methods[0].name", "'name' is missing"),
    (
        "pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, preset: papr}\n",
        "study:4:methods[0].preset",
        "'default', 'paper' or 'moco'",
    ),
    ("pool: [alpha]\ntasks: [t]\nmethods:\n  - {name: m, members: [alhpa]}\n", "study:4:methods[0].members[0]", "'alpha'?"),
    (
        "pool: [alpha]\ntasks: [t]\nmethods:\n  - {name: m, roles: {base: bet}}\n",
        "study:4:methods[0].roles.base",
        "not in the pool",
    ),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, roles: {}}\n", "study:4:methods[0].roles", "is empty"),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, roles: {base: 3}}\n", "study:4:methods[0].roles.base", "is 3"),
    ("pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, k: 1, options: {k: 2}}\n", "study:4:methods[0].k", "given twice"),
    (
        "pool: [a]\ntasks: [t]\nmethods:\n  - {name: m, sampling: {top_q: 1}}\n",
        "study:4:methods[0].sampling.top_q",
        "did you mean",
    ),
    (
        "pool:\n  - a/alpha\n  - {method: v, members: [alpha, a/b, alhpa]}\ntasks: [t]\nmethods: [m]\n",
        "study:3:pool[1].members[2]",
        "did you mean 'alpha'?",
    ),
    (
        SMALL + "aux:\n  judge:\n    method: v\n    members:\n      - x\n      - yy\n",
        "study:9:aux.judge.members[1]",
        "'yy' is not in the pool",
    ),
    (SMALL + "seeds: 3\n", "study:4:seeds", "wanted is a list"),
    (SMALL + "seeds:\n  - 0\n  - -1\n", "study:6:seeds[1]", "give at least 0"),
    (SMALL + "seeds: [1, 1]\n", "study:4:seeds[1]", "seed '1' is there twice"),
    (SMALL + "seeds: [true]\n", "study:4:seeds[0]", "whole number"),
    (SMALL + "sampling: {temperature: -0.1}\n", "study:4:sampling.temperature", "give at least 0"),
    (SMALL + "sampling: {temperature: .inf}\n", "study:4:sampling.temperature", "finite"),
    (SMALL + "sampling: {top_p: 0}\n", "study:4:sampling.top_p", "give more than 0"),
    (SMALL + "sampling: {top_p: 1.5}\n", "study:4:sampling.top_p", "give at most 1"),
    (SMALL + "sampling: {max_tokens: 0}\n", "study:4:sampling.max_tokens", "give at least 1"),
    (SMALL + "sampling: {stop: END}\n", "study:4:sampling.stop", "wanted is a list"),
    (SMALL + "sampling: [1]\n", "study:4:sampling", "keys and values"),
    (SMALL + "aux: {judge: {modl: x}}\n", "study:4:aux.judge.modl", "did you mean 'model'?"),
    (SMALL + "sampling:\n\ttop_k: 3\n", "study:5:", "indent with spaces"),
    (SMALL + "name: &x hello\n", "study:4:", "anchor &x"),
    (SMALL + "name: *x\n", "study:4:", "alias *x"),
    ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "study:1:", "anchors and aliases are not read"),
    (SMALL + "name: !!python/object/apply:os.system [ls]\n", "study:4:", "remove the tag"),
    (SMALL + "name: !!str 5\n", "study:4:", "tag"),
    (SMALL + "x: " + "[" * 100 + "]" * 100 + "\n", "study:4:", "deep"),
    (SMALL + "---\n" + SMALL, "study:4:", "a second document"),
    (SMALL + "name: [a\n", "study:5:", "not YAML"),
    (SMALL + "name: 'a\n", "study:5:", "check the quotes"),
    (SMALL + "name: a: b\n", "study:4:", "not YAML"),
    (SMALL + "name: a\x00b\n", "study:4:", "U+0000"),
    (SMALL + "<<: {name: a}\n", "study:4:<<", "unknown key"),
    (SMALL + "name: " + "9" * 5000 + "\n", "study:4:name", "not a plain finite number"),
]


@pytest.mark.parametrize(("text", "where", "word"), MALFORMED, ids=[f"{k}-{w}" for k, (_, w, _) in enumerate(MALFORMED)])
def test_malformed(text: str, where: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(text) if text and ":" in text else load_study(text + "\n")
    message = str(caught.value)
    assert message.startswith(where) and word in message and "remedy: " in message, message


def test_every_fault_is_named_at_once() -> None:
    says(
        "pool: [a, 3]\ntasks:\n  - {name: t, limit: -1}\nmethods: [m]\nseeds: []\n",
        "3 faults",
        "study:1:pool[1]",
        "study:3:tasks[0].limit",
        "study:5:seeds",
    )


def test_overrides() -> None:
    study = load_study(
        DESIGN,
        ["seeds=[7]", "sampling.temperature=0", "tasks.0.limit=5", "tasks.gsm8k.limit=6", "methods[2].quantile=0.9", "name=a=b"]
        + [
            "methods.majority_vote.tie=order",
            "baselines=false",
            "sampling.min_p=1e-2",
            "pool.0.name=first",
            "methods.nudging.roles.nudge=first",
        ],
    )
    assert study.seeds == (7,) and study.sampling.temperature == 0 and study.sampling.min_p == 0.01
    assert study.tasks[0] == TaskConfig(name="playground/mixed", limit=5) and study.tasks[1].limit == 6
    assert study.methods[2].options == {"quantile": 0.9} and study.methods[1].options == {"tie": "order"}
    assert study.name == "a=b" and study.baselines is False
    assert study.pool[0] == MemberConfig(name="first", model="playground/alpha")
    assert load_study(SMALL, ["pool.y.cost=3"]).pool[1].cost == 3


@pytest.mark.parametrize(
    ("override", "where", "word"),
    [
        ("seeds", "override 'seeds'", "key=value"),
        ("=3", "override '=3'", "key=value"),
        ("seeds=", "override 'seeds='", "no value"),
        ("sede=[1]", "override 'sede=[1]':sede", "did you mean 'seeds'?"),
        ("seeds=[-1]", "override 'seeds=[-1]':1:seeds[0]", "at least 0"),
        ("sampling.top_q=1", "override 'sampling.top_q=1':sampling.top_q", "did you mean"),
        ("tasks.9.limit=1", "override 'tasks.9.limit=1'", "use 0..2"),
        ("tasks.gsm.limit=1", "override 'tasks.gsm.limit=1'", "no entry 'gsm'"),
        ("seeds.0.x=1", "override 'seeds.0.x=1'", "holds no keys"),
        ("baselines=no", "override 'baselines=no':1:", "truth value"),
        ("name=[1", "override 'name=[1':1:", "not YAML"),
        ("a.b.c=1", "override 'a.b.c=1':a", "unknown key 'a'"),
        ("sampling=3", "override 'sampling=3':sampling", "keys and values"),
        ("pool.zeta.cost=1", "override 'pool.zeta.cost=1'", "one of ['alpha', 'geo'"),
        ("pools={}", "override 'pools={}'", "does not support 'pools' yet"),
    ],
)
def test_faults_of_overrides(override: str, where: str, word: str) -> None:
    says(DESIGN, where, word, overrides=(override,))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.integers(0, 6))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_study_or_a_config_error(noise: str, line: int) -> None:
    lines = DESIGN.splitlines(keepends=True)
    lines.insert(line, noise + "\n")
    try:
        load_study("".join(lines))
    except ConfigError as fault:
        assert fault.where.startswith("study")


@given(st.integers(0, len(DESIGN) - 1), st.sampled_from(list("{}[]:,-'\"#&*!|>%@` \n\t0eE.~")))
@settings(max_examples=200, deadline=None)
def test_a_broken_character_is_a_study_or_a_config_error(place: int, character: str) -> None:
    try:
        load_study(DESIGN[:place] + character + DESIGN[place + 1 :])
    except ConfigError as fault:
        assert fault.where.startswith("study")


@pytest.mark.parametrize("line", ["split: test", "tasks: [{name: playground/math, split: test}]"])
def test_a_key_that_would_be_ignored_is_refused(line: str) -> None:
    base = "pool: [playground/alpha]\nmethods: [single]\n"
    with pytest.raises(ConfigError, match="split"):
        load_study(base + (line if line.startswith("tasks") else f"tasks: [playground/math]\n{line}") + "\n")


NESTED = """\
pool:
  - playground/alpha
  - {name: free, model: playground/beta, cost: 0}
  - {name: panel, method: majority_vote, members: [alpha, playground/gamma], fit_on: playground/math}
  - {name: team, method: cascade, members: [panel, free], options: {quantile: 0.5}}
tasks: [{name: playground/math, limit: 4}]
methods: [{name: cascade, members: [team, alpha]}]
baselines: false
"""


def test_a_study_with_nested_collaborations_is_checked_without_generating(tmp_path: Path) -> None:
    found = Study.from_yaml(NESTED).check(tmp_path / "cache.sqlite")
    assert found.members == ["alpha", "free", "panel", "team"]
    assert found.cells == ["cascade on playground/math"]
    assert Store(tmp_path / "cache.sqlite").stats()["rows"] == 0


@pytest.mark.parametrize(
    ("old", "new", "where", "word"),
    [
        ("playground/gamma", "playground/gama", "pool[2].members[1]", "did you mean 'gamma'?"),
        ("playground/gamma", "./no/such/folder", "pool[2].members[1]", "no model folder"),
        ("playground/beta", "playground/betta", "pool[1]", "did you mean 'beta'?"),
        ("majority_vote", "majority_voet", "pool[2]", "did you mean 'majority_vote'?"),
        ("quantile", "quantlie", "pool[3]", "did you mean 'quantile'?"),
        ("quantile: 0.5", "quantile: [0.5, 0.5]", "pool[3]", "2 values for 1 stages"),
        ("quantile: 0.5", "confidence: p_true, order: [panel, playground/beta]", "pool[3]", "order names"),
        ("fit_on: playground/math", "fit_on: playground/maths", "pool[2].fit_on", "did you mean 'playground/math'?"),
    ],
)
def test_a_fault_inside_a_nested_collaboration_names_its_key(old: str, new: str, where: str, word: str, tmp_path: Path) -> None:
    study = Study.from_yaml(NESTED.replace(old, new, 1))
    with pytest.raises(MocoError) as caught:
        study.check(tmp_path / "cache.sqlite")
    assert caught.value.where.split(" ")[0] == where and word in str(caught.value)


def test_a_member_that_must_be_fitted_names_its_data() -> None:
    trained = METHODS.get("greedy_soup")
    register("needs_dev_of_the_tests", level="text", fit="required")(
        type("NeedsDev", (Method,), {"fit": trained.fit, "answer": METHODS.get("single").answer})
    )
    text = NESTED.replace("majority_vote", "needs_dev_of_the_tests").replace(", fit_on: playground/math", "")
    with pytest.raises(ConfigError, match=r"pool\[2\].*must be fitted.*fit_on"):
        Study.from_yaml(text).check()


@pytest.mark.parametrize(
    ("members", "method", "word"),
    [
        ("[playground/alpha, playground/foreign]", "logit_fusion", "different tokenizers"),
        ("[playground/alpha, playground/mentor]", "uniform_soup", "is in mentor only"),
        ("[playground/alpha, playground/mentor]", "greedy_soup", "is in mentor only"),
        (
            "[playground/alpha, {name: p, method: majority_vote, members: [playground/beta, playground/gamma]}]",
            "greedy_soup",
            "'p'",
        ),
    ],
)
def test_members_that_do_not_fit_one_another_never_start_a_run(members: str, method: str, word: str, tmp_path: Path) -> None:
    text = f"pool: {members}\ntasks: [{{name: playground/choice, limit: 5}}]\nmethods: [single, {method}]"
    with pytest.raises(PoolError) as caught:
        Study.from_yaml(text).run(tmp_path / "run")
    assert caught.value.where.startswith("methods[1]") and word in str(caught.value)
    assert not (tmp_path / "run" / "cells").exists()


def test_a_group_inside_a_pool_is_not_refused_for_what_it_is_not_yet() -> None:
    inner = "{name: duo, method: logit_fusion, members: [playground/alpha, playground/beta]}"
    text = f"pool: [playground/gamma, {inner}]\ntasks: [{{name: playground/choice, limit: 5}}]\nmethods: [logit_fusion]"
    assert Study.from_yaml(text).check().members == ["gamma", "duo"]


def test_a_task_may_be_read_from_files_and_asked_otherwise() -> None:
    text = """
pool: [playground/alpha]
tasks:
  - {name: gsm8k, data_dir: original, split: moco, variant: v, metric: em, prompt: "Q: {question}\\nA:"}
  - {data: my.jsonl, prompt: {system: Be brief., answer_format: {exact_match: Say it.}}}
  - {hub: owner/set, config: main, splits: {dev: train, test: test}, fields: {question: q, choices: [a, b]}, kind: label}
methods: [single]
"""
    first, second, third = load_study(text).tasks
    assert (first.data_dir, first.split, first.variant, first.metric) == ("original", "moco", "v", "em")
    assert first.prompt is not None and first.prompt.over(Prompt()).template == "Q: {question}\nA:"
    assert (third.name, third.sort, third.splits) == ("set", "hub", {"dev": "train", "test": "test"})
    assert second.prompt is not None
    changed = second.prompt.over(Prompt(answer_format={"numeric": "A number."}))
    assert changed.system == "Be brief." and changed.template == Prompt().template
    assert changed.answer_format == {"numeric": "A number.", "short_text": "Say it."}


@pytest.mark.parametrize(
    "task, what",
    [
        ("{name: gsm8k, split: released}", "split"),
        ("{data: my.jsonl, data_dir: x}", "'data_dir' goes with a task's name"),
        ("{data: my.jsonl, variant: x}", "'variant' goes with a task's name"),
        ("{name: gsm8k, fields: {question: q}}", "'fields' goes with 'data' or 'hub' only"),
        ("{data: my.jsonl, hub: owner/set}", "a task is read from 'data' or from 'hub'"),
        ("{hub: owner/set, splits: {train: x}}", "splits"),
        ('{name: gsm8k, prompt: "no place for it"}', "the template does not show the question"),
        ("{name: gsm8k, prompt: {answer_format: {numeral: x}}}", "unknown kind 'numeral'; remedy: did you mean 'numeric'"),
        ("{name: gsm8k, prompt: {templat: x}}", "unknown key 'templat'"),
        (
            '{name: gsm8k, prompt: "{contxt} {question}"}',
            "2:tasks[0].prompt.template: the template names {contxt}, which nothing fills; remedy: did you mean 'context'?",
        ),
        ('{name: gsm8k, prompt: "{{question}}"}', "the template does not show the question"),
        ('{name: gsm8k, prompt: "{question} { choices }"}', "'choices' stands in braces with blanks; remedy: write {choices}"),
        (
            '{name: gsm8k, prompt: {system: "On {question}"}}',
            "2:tasks[0].prompt.system: {question} is filled in the template only",
        ),
        (
            '{name: gsm8k, prompt: {answer_format: {exact_match: "{choices}"}}}',
            "2:tasks[0].prompt.answer_format.exact_match: {choices} is filled in the template only",
        ),
    ],
)
def test_what_cannot_be_meant_of_a_task_is_refused(task: str, what: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(what)):
        load_study(f"pool: [playground/alpha]\ntasks: [{task}]\nmethods: [single]\n")


def test_a_label_names_a_task_and_fit_on_finds_it_by_either_name(tmp_path: Path) -> None:
    rows = "\n".join(f'{{"id": "q{i}", "question": "{i}?", "answer": "{i}"}}' for i in range(40))
    (tmp_path / "sums.jsonl").write_text(rows)
    text = f"""
pool: [playground/alpha]
tasks: [{{data: {tmp_path}/sums.jsonl, label: first}}, {{data: {tmp_path}/sums.jsonl, label: second, limit: 3}}]
methods: [single]
"""
    config = load_study(text)
    tasks = load_tasks(config)
    assert list(tasks) == ["first", "second"] and tasks["second"].name == "second" and len(tasks["second"].test) == 3
    assert task_named("second", tasks, config) is tasks["second"] and task_named("sums", tasks, config) is tasks["first"]
    with pytest.raises(ConfigError, match="give one of them a 'label'"):
        load_study(text.replace(", label: first", "").replace(", label: second", ""))
