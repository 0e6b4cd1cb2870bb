"""Figures, each with a twin that returns the data it draws.

Without `ax` (or `figure`) a function makes a matplotlib Figure of its own, which opens no window, shows itself in a
notebook and is saved with `save_svg` or ``figure.savefig(...)``; with it, the function draws there and returns it.
"""

from .caterpillar import caterpillar, caterpillar_data
from .clusters import clusters, clusters_data
from .coefficients import coefficients, coefficients_data
from .comembership import comembership, comembership_data
from .criteria import criteria, criteria_data
from .diagram import diagram, diagram_data
from .forest import forest, forest_data
from .icc import icc, icc_data
from .invariance import invariance, invariance_data
from .memberships import memberships, memberships_data
from .mixed_residuals import mixed_residuals, mixed_residuals_data
from .paths import paths, paths_data
from .posterior import posterior, posterior_data
from .power import power, power_data
from .predictors import predictors, predictors_data
from .prior_variance import prior_variance, prior_variance_data
from .qq import qq, qq_data
from .ranks import ranks, ranks_data
from .reliability import reliability, reliability_data
from .saving import save_svg
from .selection import selection, selection_data
from .shrinkage import shrinkage, shrinkage_data
from .study import study_interactions, study_interactions_data
from .study_priors import study_priors, study_priors_data
from .study_scatter import study_scatter, study_scatter_data
from .trace import trace, trace_data
from .zeta import zeta, zeta_data

__all__ = [
    "caterpillar",
    "caterpillar_data",
    "clusters",
    "clusters_data",
    "coefficients",
    "coefficients_data",
    "comembership",
    "comembership_data",
    "criteria",
    "criteria_data",
    "diagram",
    "diagram_data",
    "forest",
    "forest_data",
    "icc",
    "icc_data",
    "invariance",
    "invariance_data",
    "memberships",
    "memberships_data",
    "mixed_residuals",
    "mixed_residuals_data",
    "paths",
    "paths_data",
    "posterior",
    "posterior_data",
    "power",
    "power_data",
    "predictors",
    "predictors_data",
    "prior_variance",
    "prior_variance_data",
    "qq",
    "qq_data",
    "ranks",
    "ranks_data",
    "reliability",
    "reliability_data",
    "save_svg",
    "selection",
    "selection_data",
    "shrinkage",
    "shrinkage_data",
    "study_interactions",
    "study_interactions_data",
    "study_priors",
    "study_priors_data",
    "study_scatter",
    "study_scatter_data",
    "trace",
    "trace_data",
    "zeta",
    "zeta_data",
]
