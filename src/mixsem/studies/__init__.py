"""Simulation studies: designs, runs that can be interrupted, tables beside published ones."""

from .anova import anova_effects, anova_table
from .figures import study_figures
from .levels import level_frame
from .page import results_page
from .published import read_published
from .results import StudyResults, read_results
from .run import StudyState, run_study
from .study import Method, Study
from .tables import level_table, study_tables
from .text_numbers import text_frame
from .toml import PRESETS, read_study, write_study
from .work import DataSet, dataset

__all__ = [
    "PRESETS",
    "DataSet",
    "Method",
    "Study",
    "StudyResults",
    "StudyState",
    "anova_effects",
    "anova_table",
    "dataset",
    "level_frame",
    "level_table",
    "read_published",
    "read_results",
    "read_study",
    "results_page",
    "run_study",
    "study_figures",
    "study_tables",
    "text_frame",
    "write_study",
]
