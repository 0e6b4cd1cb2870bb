"""Tables, moments and covariance matrices in; sample moments per group out."""

from .datasets import (
    SurveyTruth,
    holzinger_swineford_1939,
    political_democracy,
    simulated_survey,
    sleepstudy,
    survey_models,
    survey_truth,
)
from .files import is_moments_file, read_table
from .grouped import GroupedData, read_grouped
from .intake import as_moments
from .missing import missing_account
from .moments import SampleMoments
from .ordinal import OrdinalMoments
from .scanning import scan_table

__all__ = [
    "GroupedData",
    "OrdinalMoments",
    "SampleMoments",
    "SurveyTruth",
    "as_moments",
    "holzinger_swineford_1939",
    "is_moments_file",
    "missing_account",
    "political_democracy",
    "read_grouped",
    "read_table",
    "scan_table",
    "simulated_survey",
    "sleepstudy",
    "survey_models",
    "survey_truth",
]
