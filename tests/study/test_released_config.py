"""Configs of the released framework as studies: every method's section, what has no place is said, what is unknown is named."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.collab import METHODS, load_method, option_types
from moco.core.errors import ConfigError
from moco.study import Study
from moco.study.config import StudyConfig, load_study
from moco.study.released_config import Converted, convert_config, is_released
from moco.study.released_methods import NoPlace, Option, known_methods

MODELS = ["playground/alpha", "playground/beta", "playground/gamma"]
GENERAL = {"max_response_length": 256, "temperature": 0.5, "top_p": 0.8, "batch_size": 32}


def config(method: str = "text_majority_vote", **changed: Any) -> dict[str, Any]:
    own = changed.pop("own", {})
    whole = {
        "method": method,
        "task": "gsm8k",
        "task_type": "exact_match",
        "gpu_ids": [0, 1, 2],
        "model_names": MODELS,
        "hyperparameters": {**GENERAL, **own},
    }
    return {key: value for key, value in {**whole, **changed}.items() if value is not None}


def converted(method: str = "text_majority_vote", path: Path | None = None, **changed: Any) -> Converted:
    return convert_config(json.dumps(config(method, **changed), indent=2), path)


EXAMPLES: dict[str, dict[str, Any]] = {
    "api_nudging": {"gamma": 0.3, "base_model_id": 1, "nudging_model_id": 0, "use_kv_cache": True, "search_gamma": False},
    "api_prompt_routing": {"model_descriptions": ["sums", "", "lists"]},
    "api_switch_generation": {
        "patch_size": 25,
        "selector_model_name": "one/switcher",
        "objective_flag": False,
        "wait_flag": True,
    },
    "api_trained_router": {"router_base_model": "one/router", "reward_model_name": "one/reward", "reward_model_gpu_id": 0},
    "api_graph_routing": {
        "model_descriptions": ["a", "b", "c"],
        "embedding_model": "one/embedder",
        "hidden_features": 16,
        "in_edges": 3,
        "train_mask_rate": 0.3,
        "scenario": "Cost First",
        "task_description": "sums",
    },
    "api_cascade": {"mode": "just_ask", "percentage": 0.4},
    "api_mentor_collab": {"decision_proportion": 25, "patch_size": 16, "mode": "free", "task": "Math", "mlp_threshold": 0.5},
    "api_collm": {
        "training_dataset_name": "one/math",
        "training_split": "train",
        "training_num": 10,
        "training_devices": [0],
        "deferral_threshold": 0.5,
        "deferral_strategy": "defer",
        "threshold_warmup_schedule": "none",
        "threshold_warmup_steps": 15,
        "run_inference": True,
        "inference_split": "test",
        "max_seq_length": 512,
    },
    "text_multiagent_refine": {"round": 2},
    "text_moa": {"round": 2},
    "text_multiagent_feedback": {"round": 2, "feedback_count": 1},
    "text_knowledge_card": {"exclude_self": True},
    "text_llm_blender": {
        "top_k": 2,
        "ranker_model_name": "one/ranker",
        "fuser_model_name": "playground/beta",
        "train_ranker_on_dev": False,
        "train_fuser_on_dev": False,
        "ranker_sft_epoch": 3,
        "fuser_max_response_length": 64,
        "ranker_max_response_length": 128,
    },
    "text_heterogeneous_swarms": {"population": 4, "max_iterations": 3, "ratio": 0.25, "inertia": 0.2, "cognitive_coeff": 0.3},
    "text_majority_vote": {"tie": "dev-based"},
    "text_slm_mux": {"samples_per_model": 3, "tie": "model-order", "seed": 7},
    "text_structure": {"num_rounds": 2, "structure_type": "other", "structure_matrix": [[0, 1, 0], [0, 0, 1], [1, 0, 0]]},
    "text_multiagent_finetuning": {"iterations": 1, "rounds": 2, "w": 0.5, "training_ratio": 1.0, "sft_epochs": 1},
    "text_bbmas": {"max_num_agents_to_act": 1, "min_num_agents_to_stop": 1, "agent_idle_threshold": 6, "max_iterations": 50},
    "text_sparta": {"num_iterations": 2, "num_instructions": 50, "initial_k": 10.0, "score_type": "normal", "debug": False},
    "text_sparta_stackelberg": {
        "run_id": "one",
        "training_algorithm": "grpo",
        "leader_type": "uniform",
        "num_iterations": 1,
        "grpo_num_generations": 2,
        "gpus_per_grpo_job": 2,
        "judge_max_response_length": 64,
        "judge_batch_size": 8,
    },
    "text_agglm": {
        "agg_model": "one/aggregator",
        "learning_rate": 1e-4,
        "sample_size": 2,
        "train_batch_size": 4,
        "reuse_log": True,
    },
    "logit_logit_fusion": {},
    "logit_logit_contrastive": {"k": 1},
    "weight_greedy_soup": {},
    "weight_dare_ties": {"base_model_name": "playground/base", "mode": "average", "density": 0.5, "population": 5},
    "weight_model_swarms": {"fast_merge_flag": 1, "max_iterations": 10, "social_coefficient": 0.4, "repel_term_flag": True},
    "weight_lorahub": {"lorahub_dev_samples": 100, "max_inference_step": 20, "lora_weight_bound": 1.5, "regular_coef": 0.05},
    "weight_expo": {"mode": "worst_to_best", "alpha": 0.3, "alpha_mode": "fixed", "alpha_candidates": [0.1, 0.2], "k": 1},
    "single_model": {"load_in_8bit": False, "resume": True},
}


def test_every_released_method_has_an_example() -> None:
    names = {known.name for known in known_methods().values()}
    assert {known_methods()[method].name for method in EXAMPLES} == names and len(names) == 30


@pytest.mark.parametrize("method", EXAMPLES)
def test_every_method_section_becomes_a_study(method: str) -> None:
    own = EXAMPLES[method]
    made = converted(method, own=own)
    study = load_study(made.yaml())
    [entry] = study.methods
    assert entry.name == known_methods()[method].name and entry.preset == "moco"
    if entry.name in METHODS:
        load_method(entry.name, preset="moco", **entry.options)  # its options are there, and take these values
    else:
        assert any(f"does not have the method {entry.name} yet" in note for note in made.notes)
    text = made.yaml()
    for key, value in own.items():  # nothing is dropped silently: it is a value of the study, or said
        there = key in entry.options and entry.options[key] == value
        told = any(note.startswith(f"{key}: ") for note in made.notes)
        placed = str(value) in text or key in ("model_descriptions", "base_model_id", "nudging_model_id")
        assert there or told or placed, key
    assert any(note.startswith("batch_size: 32 has no place") for note in made.notes)
    assert any("CUDA_VISIBLE_DEVICES=0,1,2" in note for note in made.notes)


def test_values_that_change_their_name() -> None:
    study = converted("text_slm_mux", own=EXAMPLES["text_slm_mux"]).study
    assert study["methods"] == [{"name": "slm_mux", "preset": "moco", "samples": 3, "tie": "order"}] and study["seeds"] == [7]
    study = converted("text_structure", own=EXAMPLES["text_structure"]).study
    assert study["methods"][0]["topology"] == "matrix" and study["methods"][0]["matrix"] == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    study = converted("api_nudging", own=EXAMPLES["api_nudging"]).study
    assert study["methods"][0]["roles"] == {"base": "beta", "nudge": "alpha"}
    study = converted("text_llm_blender", own=EXAMPLES["text_llm_blender"]).study
    assert study["methods"][0]["judge"] == "aux.judge" and study["methods"][0]["writer"] == "beta"
    assert study["aux"] == {"judge": "one/ranker"}
    study = converted("api_graph_routing", own=EXAMPLES["api_graph_routing"]).study
    assert study["methods"][0]["scenario"] == "cost" and study["aux"] == {"embedder": "one/embedder"}
    assert study["methods"][0]["visible"] == pytest.approx(0.7)
    assert converted("api_cascade", own={"mode": "logit"}).study["methods"][0]["confidence"] == "mean_prob"


@pytest.mark.parametrize("method", [name for name, known in known_methods().items() if known.name in METHODS])
def test_every_option_of_the_table_is_one_that_the_method_has(method: str) -> None:
    known = known_methods()[method]
    has = set(option_types(METHODS.get(known.name)))
    for key, place in known.places.items():
        assert not isinstance(place, Option) or has & set(place.names), f"{key}: {known.name} has none of {place.names}"


def test_pool_and_sampling() -> None:
    study = converted(own={"model_descriptions": ["a", "", "c"]}).study
    assert study["pool"] == [
        {"name": "alpha", "model": "playground/alpha", "description": "a"},
        {"name": "beta", "model": "playground/beta"},
        {"name": "gamma", "model": "playground/gamma", "description": "c"},
    ]
    assert study["sampling"] == {"max_tokens": 256, "temperature": 0.5, "top_p": 0.8}
    study = converted(model_names=["x/one", "y/one", "x/one"], hyperparameters={}).study
    assert [entry["name"] for entry in study["pool"]] == ["one", "one-2", "one-3"]
    assert study["sampling"] == {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9}  # the released defaults
    notes = converted(model_names=["x/one_lora"]).notes
    assert "x/one_lora looks like an adapter; moco takes it as {name: one_lora, model: BASE, adapter: x/one_lora}" in notes


def test_tasks_and_their_files(tmp_path: Path) -> None:
    old = tmp_path / "examples" / "old.json"
    old.parent.mkdir()
    made = converted(task="my_sums", path=old)
    assert made.study["tasks"] == [{"name": "my_sums"}]
    assert "moco has no task 'my_sums'; with its file, write {data: my_sums.json}" in made.notes
    data = tmp_path / "data" / "my_sums.json"
    data.parent.mkdir()
    data.write_text("{}", encoding="utf-8")
    assert converted(task="my_sums", path=old).study["tasks"] == [{"name": "my_sums", "data": str(data)}]
    made = converted(task="my_sums", task_type="reward_model", path=old)
    assert made.study["tasks"][0]["kind"] == "reward_model"
    assert made.study["aux"] == {"reward": "Skywork/Skywork-Reward-Llama-3.1-8B-v0.2"}
    made = converted(task="my_sums", task_type="f1_match", path=old)
    assert made.study["tasks"] == [{"name": "my_sums", "data": str(data), "metric": "f1", "kind": "short_text"}]
    tiny = data.with_name("agieval_tiny.json")
    assert converted(task="agieval_tiny", path=old).study["tasks"] == [{"name": "agieval", "limit": 40}]
    tiny.write_text("{}", encoding="utf-8")
    assert converted(task="agieval_tiny", path=old).study["tasks"] == [{"name": "agieval_tiny", "data": str(tiny)}]
    known = data.with_name("gsm8k.json")
    known.write_text("{}", encoding="utf-8")
    made = converted(task="gsm8k", path=old)
    assert made.study["tasks"] == [{"name": "gsm8k", "data_dir": str(known), "split": "moco"}]
    here = converted(task="playground/math", task_type=None, path=old)
    assert here.study["tasks"] == [{"name": "playground/math"}]


def test_a_value_that_the_method_does_not_take_is_said() -> None:
    made = converted("text_majority_vote", own={"tie": "loudest"})
    assert made.study["methods"] == [{"name": "majority_vote", "preset": "moco"}]
    assert any(note.startswith('tie: "loudest" has no place: moco\'s majority_vote.tie does not take it') for note in made.notes)


def test_a_key_given_twice_counts_as_it_did() -> None:
    text = json.dumps(config("text_multiagent_refine", own={"round": 1})).replace('"round": 1', '"round": 1, "round": 3')
    made = convert_config(text)
    assert made.study["methods"][0]["rounds"] == 3
    assert "round is given twice; the last value counts, 3, as in the released code" in made.notes


FAULTY: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"seed": 1}, "unknown key 'seed'", "known: gpu_ids"),
    "misspelt key": ({"modle_names": ["a"]}, "unknown key 'modle_names'", "did you mean 'model_names'?"),
    "unknown method": ({"method": "text_majority"}, "unknown method 'text_majority'", "did you mean 'text_majority_vote'?"),
    "unknown hyperparameter": (
        {"own": {"tei": "random"}},
        "unknown hyperparameter 'tei' of majority_vote",
        "did you mean 'tie'?",
    ),
    "of another method": ({"own": {"gamma": 0.4}}, "unknown hyperparameter 'gamma' of majority_vote", "known: batch_size"),
    "no models": ({"model_names": []}, "'model_names' is missing", "add model_names"),
    "models a text": ({"model_names": "one"}, "'model_names' is not a list of names", "write a list of models"),
    "no task": ({"task": ""}, "'task' is missing", "add task"),
    "hyperparameters a list": ({"hyperparameters": [1]}, "'hyperparameters' has the wrong type", "see the released"),
    "temperature a text": ({"own": {"temperature": "0.7"}}, "'temperature' is '0.7'", "write a number"),
    "length a fraction": ({"own": {"max_response_length": 2.5}}, "'max_response_length' is 2.5", "write a number"),
    "too few descriptions": ({"own": {"model_descriptions": ["a"]}}, "model_descriptions does not describe", "write 3 texts"),
    "no such place": (
        {"method": "api_nudging", "own": {"base_model_id": 3}},
        "'base_model_id' is no place in model_names",
        "write 0 to 2",
    ),
    "seed a text": ({"method": "text_slm_mux", "own": {"seed": "x"}}, "'seed' is not a whole number", "write a whole number"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_name_line_and_key(name: str, tmp_path: Path) -> None:
    changed, what, remedy = FAULTY[name]
    text = json.dumps(config(**changed), indent=2)
    with pytest.raises(ConfigError) as caught:
        convert_config(text, tmp_path / "old.json")
    assert what in caught.value.what and remedy in caught.value.remedy
    key = what.split("'")[1] if "'" in what else ""
    if key in ("seed", "modle_names", "tei", "gamma", "base_model_id", "temperature"):
        line = next(n for n, one in enumerate(text.splitlines(), 1) if f'"{key}"' in one)
        assert caught.value.where == f"{tmp_path / 'old.json'}:{line}:{key}"


def test_all_unknown_hyperparameters_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"(?s)2 faults.*'tei'.*'rounds'"):
        converted(own={"tei": 1, "rounds": 2})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"method": "single_model", "model_names": [', "is not JSON"),
        ('{"method": "single_model", // the baseline\n"model_names": ["a"], "task": "b"}', "is not JSON"),
        ("[]", "is not a config of the released framework"),
    ],
)
def test_text_that_is_no_config(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        convert_config(text)


def test_only_configs_are_taken_for_configs() -> None:
    assert is_released(json.dumps(config()))
    assert not is_released("pool: [playground/alpha]\ntasks: [playground/math]\nmethods: [single]\n")
    assert not is_released('{"pool": ["playground/alpha"], "tasks": ["playground/math"], "methods": ["single"]}')
    flow = '{"pool": ["playground/alpha"],\n "tasks": ["playground/math"], "methods": ["single"]}'
    assert isinstance(load_study(flow), StudyConfig)  # a study in JSON is YAML, too


def test_a_config_runs_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"id": n, "input": f"What is {n} + 20?", "output": str(n + 20)} for n in range(10, 14)]
    data = {"name": "sums", "task_type": "exact_match", "dev": rows[:2], "test": rows[2:]}
    (tmp_path / "sums.json").write_text(json.dumps(data), encoding="utf-8")
    old = tmp_path / "old.json"
    own = {"max_response_length": 8, "temperature": 0, "resume": True}
    old.write_text(json.dumps(config("single_model", task="sums", model_names=MODELS[:1], own=own)), encoding="utf-8")
    with caplog.at_level(logging.WARNING, "moco.study"):
        study = Study.from_yaml(old)
    assert any("batch_size: 32 has no place" in record.message for record in caplog.records)
    assert study.config.tasks[0].data == str(tmp_path / "sums.json")
    results = study.run(tmp_path / "run", store=tmp_path / "cache.sqlite")
    assert results is not None and (tmp_path / "run" / "results.json").exists()


def test_every_value_without_a_place_says_why() -> None:
    for known in known_methods().values():
        for place in known.places.values():
            assert not isinstance(place, NoPlace) or len(place.why) > 10


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_config_makes_converting_fail(data: st.DataObject) -> None:
    """Values of any type in any place: a study comes out, or a ConfigError with a remedy."""
    anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
    method = data.draw(st.sampled_from(sorted(known_methods())))
    own = data.draw(st.dictionaries(st.sampled_from(sorted([*known_methods()[method].places, *GENERAL, "seed"])), anything))
    changed = data.draw(st.dictionaries(st.sampled_from(["task", "task_type", "gpu_ids", "model_names"]), anything, max_size=1))
    try:
        made = convert_config(json.dumps({**config(method, own=own), **changed}))
    except ConfigError as error:
        assert error.remedy or "faults" in error.what
    else:
        assert made.yaml().startswith("# converted")
