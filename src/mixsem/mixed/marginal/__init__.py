"""Alternatives to mixed models: cluster-robust errors, the within estimator, GEE, and what marginal effects are."""

from .fixed_effects import WithinFit, within
from .gee_fit import GEEFit, gee
from .mundlak import WithinBetween, within_between
from .robust import RobustRegression, cluster_robust
from .side_by_side import Alternatives, alternatives

__all__ = [
    "Alternatives",
    "GEEFit",
    "RobustRegression",
    "WithinBetween",
    "WithinFit",
    "alternatives",
    "cluster_robust",
    "gee",
    "within",
    "within_between",
]
