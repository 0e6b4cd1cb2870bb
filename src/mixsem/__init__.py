"""Compare relations across many groups.

Structural equation models whose regressions are clustered over groups, while differences in measurement are
accounted for. Start with `mmgsem`, or with its three steps: `MGCFA`, `factor_moments`, `StructuralMixture`.

Names are imported when they are first used, so that ``import mixsem`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import (
        bayes,
        data,
        equations,
        errors,
        factors,
        inference,
        measurement,
        mixtures,
        multilevel,
        plots,
        report,
        simulate,
        structural,
        studies,
        syntax,
    )
    from .bayes.draws import Sampling
    from .bayes.priors import Priors
    from .data.moments import SampleMoments
    from .equations.bootstrap import Bootstrap
    from .equations.compare import ModelComparison, anova
    from .equations.entry import cfa, growth, sem
    from .equations.fit import SEMFit
    from .equations.indices import fit_measures
    from .equations.modification import modification_indices
    from .equations.release import ReleaseScores, release_scores
    from .equations.residual import residuals
    from .equations.sam import sam
    from .equations.sam_fit import SAMFit
    from .equations.score_tests import ScoreTest, score_test
    from .equations.simulation import simulate_data
    from .equations.specification import SEM
    from .factors.moments import FactorMoments
    from .factors.sam import factor_moments
    from .factors.scores import factor_scores
    from .measurement.bayes_fit import BayesianFit
    from .measurement.bayes_measures import bayes_fit_measures
    from .measurement.diagnostics import diagnostics
    from .measurement.fit import MeasurementFit
    from .measurement.invariance import InvarianceTest, invariance_test
    from .measurement.invariance_alignment import Alignment, align
    from .measurement.invariance_deviations import loading_deviations
    from .measurement.invariance_random import random_effect_steps
    from .measurement.invariance_search import NonInvariance, find_noninvariance
    from .measurement.invariance_steps import RandomEffectSteps
    from .measurement.mgbcfa import MGBCFA
    from .measurement.mgcfa import MGCFA
    from .measurement.mlcfa import MLCFA
    from .measurement.prior_choice import choose_prior_variance
    from .mixtures.bootstrap import bootstrap
    from .mixtures.bootstrap_results import MixtureBootstrap, SelectionBootstrap
    from .mixtures.classification import Classification, classification
    from .mixtures.distal import DistalOutcome, distal
    from .mixtures.errors import StandardErrors, standard_errors
    from .mixtures.explained import r2, standardized
    from .mixtures.intervals import Intervals, intervals
    from .mixtures.lrt import ClusterTest, bootstrap_lrt
    from .mixtures.membership_model import MembershipModel
    from .mixtures.predictors import predictors
    from .mixtures.propagate import PropagatedPosterior, propagated_posterior
    from .mixtures.stability import Stability, stability
    from .mixtures.wald import WaldTests, wald
    from .mixed.fit import MixedFit
    from .mixed.linear import LinearMixedModel, lmer
    from .mixed.optimise import Optimizer
    from .multilevel.compare import compare_groups
    from .multilevel.mlsem import MLSEM
    from .pipelines import mixmg_bsem, mixml_sem, mmgsem
    from .report.files import save_results
    from .report.frames import clusters, glance, tidy
    from .report.summary import summary
    from .structural.choice import choose_clusters
    from .structural.fit import MixtureFit
    from .structural.mixture import StructuralMixture
    from .structural.select import MixtureSelection
    from .studies.power import power
    from .studies.power_result import PowerResult

__all__ = [
    "MGBCFA",
    "MGCFA",
    "MLCFA",
    "MLSEM",
    "SEM",
    "Alignment",
    "BayesianFit",
    "Bootstrap",
    "Classification",
    "ClusterTest",
    "DistalOutcome",
    "FactorMoments",
    "Intervals",
    "InvarianceTest",
    "LinearMixedModel",
    "MeasurementFit",
    "MembershipModel",
    "MixedFit",
    "MixtureBootstrap",
    "MixtureFit",
    "MixtureSelection",
    "ModelComparison",
    "NonInvariance",
    "Optimizer",
    "PowerResult",
    "Priors",
    "PropagatedPosterior",
    "RandomEffectSteps",
    "ReleaseScores",
    "SAMFit",
    "SEMFit",
    "SampleMoments",
    "Sampling",
    "ScoreTest",
    "SelectionBootstrap",
    "Stability",
    "StandardErrors",
    "StructuralMixture",
    "WaldTests",
    "align",
    "anova",
    "bayes",
    "bayes_fit_measures",
    "bootstrap",
    "bootstrap_lrt",
    "cfa",
    "choose_clusters",
    "choose_prior_variance",
    "classification",
    "clusters",
    "compare_groups",
    "data",
    "diagnostics",
    "distal",
    "equations",
    "errors",
    "factor_moments",
    "factor_scores",
    "factors",
    "find_noninvariance",
    "fit_measures",
    "glance",
    "growth",
    "inference",
    "intervals",
    "invariance_test",
    "lmer",
    "loading_deviations",
    "measurement",
    "mixmg_bsem",
    "mixml_sem",
    "mixtures",
    "mmgsem",
    "modification_indices",
    "multilevel",
    "plots",
    "power",
    "predictors",
    "propagated_posterior",
    "r2",
    "random_effect_steps",
    "release_scores",
    "report",
    "residuals",
    "sam",
    "save_results",
    "score_test",
    "sem",
    "simulate",
    "simulate_data",
    "stability",
    "standard_errors",
    "standardized",
    "structural",
    "studies",
    "summary",
    "syntax",
    "tidy",
    "wald",
]

#: Where each public name lives; a name that is missing here is a submodule.
_HOME = {
    "StandardErrors": "mixtures.errors",
    "standard_errors": "mixtures.errors",
    "Intervals": "mixtures.intervals",
    "intervals": "mixtures.intervals",
    "WaldTests": "mixtures.wald",
    "wald": "mixtures.wald",
    "Classification": "mixtures.classification",
    "classification": "mixtures.classification",
    "PropagatedPosterior": "mixtures.propagate",
    "propagated_posterior": "mixtures.propagate",
    "Stability": "mixtures.stability",
    "stability": "mixtures.stability",
    "distal": "mixtures.distal",
    "DistalOutcome": "mixtures.distal",
    "MembershipModel": "mixtures.membership_model",
    "predictors": "mixtures.predictors",
    "simulate_data": "equations.simulation",
    "Bootstrap": "equations.bootstrap",
    "bootstrap": "mixtures.bootstrap",
    "MixtureBootstrap": "mixtures.bootstrap_results",
    "SelectionBootstrap": "mixtures.bootstrap_results",
    "ClusterTest": "mixtures.lrt",
    "bootstrap_lrt": "mixtures.lrt",
    "residuals": "equations.residual",
    "ModelComparison": "equations.compare",
    "anova": "equations.compare",
    "fit_measures": "equations.indices",
    "ScoreTest": "equations.score_tests",
    "score_test": "equations.score_tests",
    "modification_indices": "equations.modification",
    "ReleaseScores": "equations.release",
    "release_scores": "equations.release",
    "BayesianFit": "measurement.bayes_fit",
    "MGBCFA": "measurement.mgbcfa",
    "MLCFA": "measurement.mlcfa",
    "Priors": "bayes.priors",
    "Sampling": "bayes.draws",
    "diagnostics": "measurement.diagnostics",
    "bayes_fit_measures": "measurement.bayes_measures",
    "choose_prior_variance": "measurement.prior_choice",
    "factor_scores": "factors.scores",
    "mixml_sem": "pipelines",
    "mixmg_bsem": "pipelines",
    "LinearMixedModel": "mixed.linear",
    "MixedFit": "mixed.fit",
    "Optimizer": "mixed.optimise",
    "lmer": "mixed.linear",
    "MLSEM": "multilevel.mlsem",
    "compare_groups": "multilevel.compare",
    "MGCFA": "measurement.mgcfa",
    "InvarianceTest": "measurement.invariance",
    "invariance_test": "measurement.invariance",
    "NonInvariance": "measurement.invariance_search",
    "find_noninvariance": "measurement.invariance_search",
    "Alignment": "measurement.invariance_alignment",
    "align": "measurement.invariance_alignment",
    "RandomEffectSteps": "measurement.invariance_steps",
    "random_effect_steps": "measurement.invariance_random",
    "loading_deviations": "measurement.invariance_deviations",
    "SEM": "equations.specification",
    "standardized": "mixtures.explained",
    "r2": "mixtures.explained",
    "SEMFit": "equations.fit",
    "SAMFit": "equations.sam_fit",
    "sam": "equations.sam",
    "cfa": "equations.entry",
    "sem": "equations.entry",
    "growth": "equations.entry",
    "FactorMoments": "factors.moments",
    "MeasurementFit": "measurement.fit",
    "MixtureFit": "structural.fit",
    "MixtureSelection": "structural.select",
    "SampleMoments": "data.moments",
    "StructuralMixture": "structural.mixture",
    "choose_clusters": "structural.choice",
    "clusters": "report.frames",
    "factor_moments": "factors.sam",
    "glance": "report.frames",
    "mmgsem": "pipelines",
    "power": "studies.power",
    "PowerResult": "studies.power_result",
    "save_results": "report.files",
    "summary": "report.summary",
    "tidy": "report.frames",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOME.get(name, name)}", __name__)
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, for completion in notebooks."""
    return sorted([*__all__, "__version__"])
