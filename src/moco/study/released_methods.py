"""The methods of the released MoCo framework: what each is called here, and where each of its hyperparameters belongs.

Facts from its documentation, code and example configs. A place is the name of our option (with a change of the value where the
two differ), a member's role, or a sentence that says why there is none. Options that this version's method does not have are
found out when a config is converted, not here, so the table names what the specification calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """An option of ours: its ``names`` (the first that the method has is taken) and what becomes of the value."""

    names: tuple[str, ...]
    change: Callable[[Any], Any] = field(default=lambda value: value)


@dataclass(frozen=True)
class Role:
    """The value is a place in model_names; the member there plays ``name``."""

    name: str


@dataclass(frozen=True)
class Helper:
    """The value is a model beside the pool: the study's ``aux`` entry ``name``."""

    name: str


@dataclass(frozen=True)
class NoPlace:
    """moco has nothing that the value could set; ``why`` says so."""

    why: str


Place = Option | Role | Helper | NoPlace


@dataclass(frozen=True)
class Known:
    """Our ``name`` of a released method, the places of its hyperparameters, and the roles its first models play."""

    name: str
    places: Mapping[str, Place] = field(default_factory=dict)
    roles: tuple[str, ...] = ()


def _to(*names: str, **values: Any) -> Option:
    """An option; ``values`` are what its values are called here, by what they are called there."""
    renamed = {key.replace("_", "-"): value for key, value in values.items()} | values
    return Option(names, lambda value: renamed.get(value, value) if isinstance(value, str) else value)


PATHS = NoPlace("moco keeps what it makes in its own store")
DEVICES = NoPlace("moco places models on the visible devices by itself")
BATCHES = NoPlace("moco forms batches by itself")
RESUMES = NoPlace("moco continues a run by itself")
RATIO = NoPlace("a share of the data; give the task a limit instead")
TRAINING = NoPlace("moco's own training settings hold")
SEARCHED = NoPlace("search over dev is 'tune' in moco, which this version does not have")

SHARED: dict[str, Place] = {
    "batch_size": BATCHES,
    "big_model_mode": DEVICES,
    "load_in_8bit": NoPlace("moco does not load in 8 bits"),
    "ratio": RATIO,
    "resume": RESUMES,
}
"""Hyperparameters of every method beside max_response_length, temperature and top_p."""

_SWARM: dict[str, Place] = {
    **{name: _to(name) for name in ("population", "inertia", "step_length", "step_length_factor")},
    "max_iterations": _to("max_iterations", "iterations"),
    **{name: _to(name) for name in ("minimum_step_length", "patience", "restart_patience")},
    "cognitive_coeff": _to("cognitive", "cognitive_coeff"),
    "social_coeff": _to("social", "social_coeff"),
    "repel_coeff": _to("repel", "repel_coeff"),
    "repel_term": _to("repel_term"),
    "weight_randomness": _to("weight_randomness", "randomness"),
    "starting_velocity_mode": _to("starting_velocity", "starting_velocity_mode"),
}
_SPARTA: dict[str, Place] = {
    "num_iterations": _to("iterations", "num_iterations"),
    "current_iteration": RESUMES,
    "num_instructions": _to("instructions", "num_instructions"),
    "random_match_prob": _to("random_match", "random_match_prob"),
    "num_opponents": _to("opponents", "num_opponents"),
    "judge_batch_size": BATCHES,
    "judge_rounds": _to("judge_rounds"),
    "judge_max_response_length": _to("judge_tokens", "judge_max_tokens"),
    "judge_temperature": _to("judge_temperature"),
    "judge_top_p": _to("judge_top_p"),
    **{name: _to(name) for name in ("initial_k", "min_k", "window_size", "min_deviation", "epsilon", "decay_rate")},
    **{name: _to(name) for name in ("decay_steps", "scaling_factor", "score_type", "freeze_ratings")},
    "debug": NoPlace("moco records every rating in the transcript"),
    "sparta_base_path": PATHS,
    "base_dir": PATHS,
    "dpo_batch_size": TRAINING,
    "dpo_gradient_accumulation_steps": TRAINING,
    "dpo_learning_rate": _to("learning_rate", "dpo_learning_rate"),
    "dpo_epoch": _to("epochs", "dpo_epoch"),
    "parallel_dpo_training": DEVICES,
}
_LEADER: dict[str, Place] = {
    **{name: _to(name) for name in ("training_algorithm", "leader_type", "leader_scope", "instruction_selection")},
    "leader_uniform_mix": _to("leader_uniform_mix"),
    "instr_sample_gamma": _to("leader_uniform_mix"),
    **{name: _to(name) for name in ("num_duels_per_iteration", "opponent_selection", "reputation_gap_sigma", "reward_method")},
    **{name: _to(name) for name in ("difficulty_reward_weight", "score_threshold", "preference_quality_reward_weight")},
    **{name: _to(name) for name in ("ideal_start_gap", "ideal_end_gap", "preference_gap_sigma", "reward_scale")},
    **{name: _to(name) for name in ("grpo_num_generations", "grpo_max_completion_length", "grpo_beta", "grpo_epsilon")},
    **{name: _to(name) for name in ("grpo_scale_rewards", "grpo_loss_type")},
    "run_id": PATHS,
    **dict.fromkeys(("grpo_batch_size", "grpo_gradient_accumulation_steps", "grpo_learning_rate", "grpo_epoch"), TRAINING),
    **dict.fromkeys(("parallel_grpo_training", "gpus_per_grpo_job", "max_parallel_grpo_jobs", "online_judge_gpu_ids"), DEVICES),
}
_COLLM: dict[str, Place] = {
    "training_dataset_name": NoPlace("moco trains on the task's dev"),
    "training_split": NoPlace("moco trains on the task's dev"),
    "training_num": NoPlace("moco trains on the task's dev; give the task a limit"),
    "training_devices": DEVICES,
    "max_seq_length": _to("max_seq_length"),
    "max_tokens": NoPlace("max_response_length is what counts"),
    "round": NoPlace("the method has no rounds"),
    "deferral_threshold": _to("theta", "threshold", "deferral_threshold"),
    "deferral_strategy": _to("strategy", "deferral_strategy"),
    "threshold_warmup_schedule": _to("warmup", "warmup_schedule", "threshold_warmup_schedule"),
    "threshold_warmup_steps": _to("warmup_steps", "threshold_warmup_steps"),
    "run_inference": NoPlace("moco always answers"),
    "inference_split": NoPlace("moco scores test"),
}

_METHODS: dict[str, Known] = {
    "single_model": Known("single"),
    "api_nudging": Known(
        "nudging",
        {
            "gamma": _to("gamma"),
            "base_model_id": Role("base"),
            "nudging_model_id": Role("nudge"),
            "use_kv_cache": NoPlace("moco always keeps the cache, and it changes no answer"),
            "search_gamma": SEARCHED,
            "search_nudging": SEARCHED,
        },
        ("base", "nudge"),
    ),
    "api_prompt_routing": Known("prompt_routing"),
    "api_switch_generation": Known(
        "switch_generation",
        {
            "patch_size": _to("segment", "span", "patch_size"),
            "selector_model_name": Helper("switcher"),
            "selector_base_model": NoPlace("name the switcher's base where it is trained"),
            "objective_flag": _to("objective", "objective_flag"),
            "training_instance_num": _to("instances", "training_instances"),
            "rollout_per_instance": _to("rollouts", "rollouts_per_instance"),
            "reward_model_gpu_id": DEVICES,
            "reward_model_name": Helper("reward"),
            "wait_flag": Option(("on_eos",), lambda wait: "wait" if wait else "stop"),
        },
    ),
    "api_trained_router": Known(
        "trained_router",
        {
            "router_base_model": NoPlace("moco's heads learn from embeddings, not by tuning a language model"),
            "reward_model_gpu_id": DEVICES,
            "reward_model_name": Helper("reward"),
        },
    ),
    "api_graph_routing": Known(
        "graph_routing",
        {
            "embedding_model": Helper("embedder"),
            "task_description": NoPlace("moco describes a task by its kind; see task_descriptions"),
            "hidden_features": _to("hidden"),
            "in_edges": NoPlace("the number of edge features is the method's"),
            "train_mask_rate": Option(("visible",), lambda rate: 1 - rate if isinstance(rate, int | float) else rate),
            "scenario": Option(
                ("scenario",),
                lambda name: {"performance first": "performance", "balance": "balance", "cost first": "cost"}.get(
                    str(name).lower(), name
                ),
            ),
            "learning_rate": _to("learning_rate"),
            "weight_decay": _to("weight_decay"),
            "train_epoch": _to("epochs"),
        },
    ),
    "api_cascade": Known(
        "cascade", {"mode": _to("confidence", logit="mean_prob", just_ask="verbal"), "percentage": _to("quantile")}
    ),
    "api_mentor_collab": Known(
        "mentor_collab",
        {
            "decision_proportion": _to("consult_percent", "decision_proportion"),
            "patch_size": _to("segment", "patch_size"),
            "mode": _to("mode", train="mlp"),
            "task": NoPlace("moco trains its own classifier on dev"),
            "mlp_threshold": _to("threshold", "tau"),
        },
        ("generator", "mentor"),
    ),
    "api_collm": Known("co_llm", _COLLM, ("base", "assistant")),
    "text_multiagent_refine": Known("multiagent_refine", {"round": _to("rounds")}),
    "text_moa": Known("mixture_of_agents", {"round": _to("layers")}),
    "text_multiagent_feedback": Known("multiagent_feedback", {"round": _to("rounds"), "feedback_count": _to("feedback_count")}),
    "text_knowledge_card": Known("knowledge_card", {"exclude_self": _to("exclude_self")}),
    "text_llm_blender": Known(
        "llm_blender",
        {
            "top_k": _to("top_k"),
            "ranker_model_name": Option(("judge",)),
            "ranker_gpu_id": DEVICES,
            "ranker_max_response_length": _to("ranker_tokens"),
            "fuser_model_name": Option(("writer",)),
            "fuser_gpu_id": DEVICES,
            "fuser_max_response_length": NoPlace("the fuser has the room of every answer, max_tokens"),
            "train_ranker_on_dev": Option(("ranker",), lambda on: "trained" if on else "prompt"),
            "train_fuser_on_dev": NoPlace("moco's fuser is prompted or the published one"),
            **{
                f"{who}_sft_{what}": TRAINING
                for who in ("ranker", "fuser")
                for what in ("batch_size", "gradient_accumulation_steps", "learning_rate", "epoch")
            },
        },
    ),
    "text_heterogeneous_swarms": Known("heterogeneous_swarms", _SWARM),
    "text_majority_vote": Known("majority_vote", {"tie": _to("tie", dev_based="dev")}),
    "text_slm_mux": Known(
        "slm_mux", {"samples_per_model": _to("samples"), "tie": _to("tie", dev_based="dev", model_order="order")}
    ),
    "text_structure": Known(
        "structured_interaction",
        {
            "num_rounds": _to("rounds"),
            "structure_type": _to("topology", circle="ring", other="matrix"),
            "structure_matrix": _to("matrix"),
        },
    ),
    "text_multiagent_finetuning": Known(
        "multiagent_finetuning",
        {
            "iterations": _to("iterations"),
            "rounds": _to("rounds"),
            "w": _to("w", "corrected"),
            "training_ratio": _to("training_ratio", "select"),
            "sft_epochs": _to("epochs"),
            "sft_learning_rate": _to("learning_rate"),
            "sft_batch_size": TRAINING,
            "sft_grad_accum": TRAINING,
        },
    ),
    "text_bbmas": Known(
        "bbmas",
        {
            "max_num_agents_to_act": _to("acting"),
            "min_num_agents_to_stop": _to("min_to_stop"),
            "agent_idle_threshold": _to("idle"),
            "max_iterations": _to("rounds"),
            "max_num_retries": _to("repairs"),
        },
    ),
    "text_sparta": Known("sparta", _SPARTA),
    "text_sparta_stackelberg": Known("sparta_stackelberg", {**_SPARTA, **_LEADER}),
    "text_agglm": Known(
        "agglm",
        {
            "agg_model": Helper("aggregator"),
            "agglm_log_path": PATHS,
            "reuse_log": RESUMES,
            "learning_rate": _to("learning_rate"),
            "weight_decay": _to("weight_decay"),
            "lr_scheduler": TRAINING,
            "max_epochs": _to("epochs"),
            "train_batch_size": TRAINING,
            "sample_size": _to("sample_size", "sets"),
        },
    ),
    "logit_logit_fusion": Known("logit_fusion"),
    "logit_logit_contrastive": Known("logit_contrastive", {"k": _to("k")}),
    "weight_greedy_soup": Known("greedy_soup"),
    "weight_dare_ties": Known(
        "dare_ties",
        {
            "base_model_name": _to("base"),
            "mode": Option(("weights", "mode"), lambda mode: {"average": "uniform", "optimized": "search"}.get(mode, mode)),
            "density": _to("density"),
            "dare_ties_base_path": PATHS,
            **_SWARM,
        },
    ),
    "weight_model_swarms": Known(
        "model_swarms",
        {
            **_SWARM,
            "swarm_base_path": PATHS,
            "base_model": _to("base"),
            "fast_merge_flag": NoPlace("moco sees for itself whether members are adapters"),
            "weight_randomness_flag": _to("weight_randomness", "randomness"),
            "cognitive_coefficient": _to("cognitive"),
            "social_coefficient": _to("social"),
            "repel_coefficient": _to("repel"),
            "repel_term_flag": _to("repel_term"),
        },
    ),
    "weight_lorahub": Known(
        "lorahub",
        {
            "lorahub_dev_samples": _to("dev_samples", "samples"),
            "max_inference_step": _to("steps", "budget"),
            "lora_weight_bound": _to("bound"),
            "regular_coef": _to("l1", "regularisation"),
            "lorahub_base_path": PATHS,
        },
    ),
    "weight_expo": Known(
        "expo",
        {
            "mode": _to("mode"),
            "alpha": _to("alpha"),
            "k": _to("k"),
            "alpha_mode": Option(("alpha_mode", "search"), lambda mode: mode),
            "alpha_candidates": _to("alpha_candidates", "candidates"),
            "expo_base_path": PATHS,
            "pair_selection": NoPlace("pairs mode is not carried over"),
            "sft_models": NoPlace("pairs mode is not carried over"),
            "dpo_models": NoPlace("pairs mode is not carried over"),
        },
    ),
}
ALIASES = {
    "text_mentor_collab": "api_mentor_collab",
    "logit_co-llm": "api_collm",
    "api_co-llm": "api_collm",
    "weight_agglm": "text_agglm",
}
"""Names that earlier releases had for the same method."""


def known_methods() -> dict[str, Known]:
    """Every released method by the name its config gives it."""
    return {**_METHODS, **{alias: _METHODS[name] for alias, name in ALIASES.items()}}
