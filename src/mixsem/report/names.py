"""Names of the result files, known before anything heavy is imported."""

from __future__ import annotations

__all__ = ["RESULT_FILES"]

RESULT_FILES = (
    "report.html",
    "clusters.csv",
    "coefficients.csv",
    "selection.csv",
    "moments.json",
    "fit.json",
)
