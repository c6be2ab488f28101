"""Kit of the routing level: embeddings, heads of trained routers and their validation, confidence signals, thresholds chosen on
dev, costs, calibration, cost-quality curves."""

from moco.routers.asking import odds_of_truth, telling, told
from moco.routers.bradley_terry import elo, ratings, similarity_weights
from moco.routers.calibration import auroc, calibration_error, reliability
from moco.routers.cautions import FEW, caution, few
from moco.routers.chains import Chain, held_out, search_chain
from moco.routers.choice import Rule, best, share_threshold, win_rate
from moco.routers.consulting import LEARNED, Asker, Look, Stage, agreed
from moco.routers.costs import dev_costs, members_of, paid, relative, spent, tells_itself
from moco.routers.curves import ChainCurve, Recorded, area, chain_curve, oracle_deferral, random_deferral, rate_thresholds
from moco.routers.described import check_names, descriptions_of
from moco.routers.embedding import Space, check_source, counted, learn_space
from moco.routers.estimators import check_installed, check_keepable
from moco.routers.factors import factor_scores
from moco.routers.gaps import area_under, cost_to_reach, gap_recovered
from moco.routers.graph import edge_scores, model_vectors, query_nodes
from moco.routers.graph_training import Graph, Training, attach, check_torch, routed_effect, train_graph
from moco.routers.heads import HEADS, Head, learn, scores
from moco.routers.logistic import Logistic, cross_fitted, fit_logistic
from moco.routers.margins import mean_margin
from moco.routers.outcomes import Outcomes, battles, folds, labels, outcomes
from moco.routers.questions import fixed_words, shown_question
from moco.routers.scorers import Scorer, learn_scorer
from moco.routers.signals import SIGNALS, UNSURE, even_odds, features, probability, scale_of, signal
from moco.routers.thresholds import ACCEPT, DEFER, Aim, Simulation, optimize, quantile_threshold, simulate, stopping_stage
from moco.routers.validation import Scale, Validated, teaching, validate
from moco.routers.worker import aside, heard

__all__ = [
    "ACCEPT",
    "DEFER",
    "FEW",
    "HEADS",
    "LEARNED",
    "SIGNALS",
    "UNSURE",
    "Aim",
    "Asker",
    "Chain",
    "ChainCurve",
    "Graph",
    "Head",
    "Logistic",
    "Look",
    "Outcomes",
    "Recorded",
    "Rule",
    "Scale",
    "Scorer",
    "Simulation",
    "Space",
    "Stage",
    "Training",
    "Validated",
    "agreed",
    "area",
    "area_under",
    "aside",
    "attach",
    "auroc",
    "battles",
    "best",
    "calibration_error",
    "caution",
    "chain_curve",
    "check_installed",
    "check_keepable",
    "check_names",
    "check_source",
    "check_torch",
    "cost_to_reach",
    "counted",
    "cross_fitted",
    "descriptions_of",
    "dev_costs",
    "edge_scores",
    "elo",
    "even_odds",
    "factor_scores",
    "features",
    "few",
    "fit_logistic",
    "fixed_words",
    "folds",
    "gap_recovered",
    "heard",
    "held_out",
    "labels",
    "learn",
    "learn_scorer",
    "learn_space",
    "mean_margin",
    "members_of",
    "model_vectors",
    "odds_of_truth",
    "optimize",
    "oracle_deferral",
    "outcomes",
    "paid",
    "probability",
    "quantile_threshold",
    "query_nodes",
    "random_deferral",
    "rate_thresholds",
    "ratings",
    "relative",
    "reliability",
    "routed_effect",
    "scale_of",
    "scores",
    "search_chain",
    "share_threshold",
    "shown_question",
    "signal",
    "similarity_weights",
    "simulate",
    "spent",
    "stopping_stage",
    "teaching",
    "telling",
    "tells_itself",
    "told",
    "train_graph",
    "validate",
    "win_rate",
]
