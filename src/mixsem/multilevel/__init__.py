"""Multilevel SEM: measurement and structural model at once, with random regressions, and comparison of groups."""

from .compare import GroupComparison, compare_groups
from .fit import MultilevelFit
from .mlsem import MLSEM

__all__ = ["MLSEM", "GroupComparison", "MultilevelFit", "compare_groups"]
