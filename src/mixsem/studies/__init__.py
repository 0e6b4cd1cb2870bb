"""Simulation studies: designs, runs that can be interrupted, tables beside published ones."""

from .results import StudyResults, read_results
from .run import StudyState, run_study
from .study import Method, Study
from .toml import PRESETS, read_study, write_study
from .work import DataSet, dataset

__all__ = [
    "PRESETS",
    "DataSet",
    "Method",
    "Study",
    "StudyResults",
    "StudyState",
    "dataset",
    "read_results",
    "read_study",
    "run_study",
    "write_study",
]
