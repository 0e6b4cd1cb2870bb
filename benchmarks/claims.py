"""The claims about speed and accuracy that other pages make, with the script that checks each.

A test looks for the words on the page and for the script; another finds sentences with times or ratios that are not
here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLAIMS", "Claim"]


@dataclass(frozen=True)
class Claim:
    """Words of a page of docs/ (or README.md), and the script, from the root of the project, that checks them."""

    page: str
    words: str
    script: str


CLAIMS = (
    Claim("README.md", "it takes a small fraction of lavaan's time", "benchmarks/sem.py"),
    Claim("methods/sem.md", "no further from the maximum", "benchmarks/sem.py"),
    Claim("methods/ordinal.md", "All of it agrees with lavaan", "tests/measurement/test_ordinal.py"),
    Claim("methods/laplace.md", "as fast for `MLCFA` and 6 to 10 times for `MGBCFA`", "benchmarks/laplace_vs_mcmc.py"),
    Claim("methods/laplace.md", "Posterior standard deviations of loadings agree", "benchmarks/laplace_vs_mcmc.py"),
    Claim("methods/laplace.md", "600 data sets per design, seed 11", "benchmarks/sbc.py"),
    Claim("methods/laplace.md", "of four factors of five items takes", "benchmarks/calls.py"),
    Claim("methods/laplace.md", "the sampler takes seconds", "benchmarks/bayes_step1.py"),
    Claim("methods/bayesian-measurement.md", "several times as fast", "benchmarks/laplace_vs_mcmc.py"),
    Claim("methods/bayesian-checks.md", "No p-value is small", "benchmarks/sbc.py"),
    Claim("methods/cluster-inference.md", "In 500 simulated data sets", "benchmarks/interval_coverage.py"),
    Claim("methods/cluster-inference.md", "hundredths of a second per sample", "benchmarks/calls.py"),
    Claim("methods/cluster-inference.md", "1.04 times the Monte-Carlo", "benchmarks/bootstrap_errors.py"),
    Claim("methods/cluster-inference.md", "Memberships of 63 groups take", "benchmarks/calls.py"),
    Claim("methods/cluster-inference.md", "is within 2.6 points in every row", "benchmarks/calibration.py"),
    Claim("methods/mixed-marginal.md", "20,000 clusters of 50 rows take", "benchmarks/calls.py"),
    Claim("methods/mixed-penalties.md", "agree with blme's criterion", "tests/mixed/test_penalties.py"),
    Claim("methods/mixed-growth.md", "The two log-likelihoods are compared to 1e-6", "tests/mixed/test_growth.py"),
    Claim("methods/mixed-variance.md", "Numbers agree with `performance::r2_nakagawa`", "tests/mixed/test_variance.py"),
    Claim("tutorial-invariance.md", "45,000 people and 11 items takes", "benchmarks/calls.py"),
    Claim("studies/index.md", "nearly twice as much as one", "benchmarks/study_speed.py"),
    Claim("studies/samplers.md", "CPU seconds", "benchmarks/study_samplers.py"),
    Claim("architecture.md", "the same moments as of the rows in memory", "tests/data/test_streaming.py"),
    Claim("dependencies.md", "for the chains of a factor in 48 groups", "benchmarks/bayes_step1.py"),
    Claim("dependencies.md", "for a log posterior with its gradient", "benchmarks/calls.py"),
)
