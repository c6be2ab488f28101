"""Kit of the routing level: confidence signals, thresholds chosen on dev, costs, calibration, cost-quality curves."""

from moco.routers.asking import odds_of_truth, telling, told
from moco.routers.calibration import auroc, calibration_error, reliability
from moco.routers.consulting import Asker, Look, agreed, learn_scorer
from moco.routers.costs import members_of, spent, tells_itself
from moco.routers.curves import Point, area, curve, oracle_deferral, random_deferral, rate_thresholds
from moco.routers.logistic import Logistic, cross_fitted, fit_logistic
from moco.routers.signals import SIGNALS, UNSURE, even_odds, features, probability, signal
from moco.routers.thresholds import ACCEPT, DEFER, Simulation, optimize, quantile_threshold, simulate, stopping_stage

__all__ = [
    "ACCEPT",
    "DEFER",
    "SIGNALS",
    "UNSURE",
    "Asker",
    "Logistic",
    "Look",
    "Point",
    "Simulation",
    "agreed",
    "area",
    "auroc",
    "calibration_error",
    "cross_fitted",
    "curve",
    "even_odds",
    "features",
    "fit_logistic",
    "odds_of_truth",
    "learn_scorer",
    "members_of",
    "optimize",
    "oracle_deferral",
    "probability",
    "quantile_threshold",
    "random_deferral",
    "rate_thresholds",
    "reliability",
    "signal",
    "simulate",
    "spent",
    "stopping_stage",
    "telling",
    "tells_itself",
    "told",
]
