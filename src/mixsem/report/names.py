"""Names of the result files, known before anything heavy is imported."""

from __future__ import annotations

__all__ = ["EQUATION_FILES", "INVARIANCE_FILES", "MIXED_FILES", "RESULT_FILES"]

RESULT_FILES = (
    "report.html",
    "clusters.csv",
    "coefficients.csv",
    "selection.csv",
    "moments.json",
    "fit.json",
)

EQUATION_FILES = ("report.html", "parameters.csv", "fit.json")

INVARIANCE_FILES = ("report.html", "invariance.csv", "noninvariance.csv", "invariance.svg")

MIXED_FILES = ("report.html", "fixed.csv", "random.csv", "varcorr.csv", "fit.json")
