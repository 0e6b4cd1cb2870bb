"""Figures, each with a twin that returns the data it draws.

Without `ax` (or `figure`) a function makes a matplotlib Figure of its own, which opens no window, shows itself in a
notebook and is saved with ``figure.savefig(...)``; with it, the function draws there and returns it.
"""

from .clusters import clusters, clusters_data
from .criteria import criteria, criteria_data
from .forest import forest, forest_data
from .invariance import invariance, invariance_data
from .paths import paths, paths_data
from .posterior import posterior, posterior_data
from .prior_variance import prior_variance, prior_variance_data
from .ranks import ranks, ranks_data
from .selection import selection, selection_data
from .trace import trace, trace_data

__all__ = [
    "clusters",
    "clusters_data",
    "criteria",
    "criteria_data",
    "forest",
    "forest_data",
    "invariance",
    "invariance_data",
    "paths",
    "paths_data",
    "posterior",
    "posterior_data",
    "prior_variance",
    "prior_variance_data",
    "ranks",
    "ranks_data",
    "selection",
    "selection_data",
    "trace",
    "trace_data",
]
