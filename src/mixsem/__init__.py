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
    from .comparison import anova
    from .data.moments import SampleMoments
    from .equations.bootstrap import Bootstrap
    from .equations.compare import ModelComparison
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
    from .explained import r2
    from .factors.moments import FactorMoments
    from .factors.sam import factor_moments
    from .factors.scores import factor_scores
    from .growth_curves import growth_curve
    from .guided import GuidedReport, guided_report
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
    from .mixed.audit import check_design, check_overdispersion, explain
    from .mixed.derived.implied import ImpliedCovariance, implied_cov
    from .mixed.derived.pooling import compare_pooling
    from .mixed.derived.random_effects import RandomEffects
    from .mixed.derived.simulate import simulate_mixed
    from .mixed.derived.varcorr import VarCorr
    from .mixed.engine.optimise import Optimizer
    from .mixed.fit import MixedFit
    from .mixed.generalised.fit import GeneralisedFit
    from .mixed.generalised.glmer import GeneralisedMixedModel, glmer
    from .mixed.growth.reshape import to_long, to_wide
    from .mixed.growth.syntax import growth_syntax
    from .mixed.inference.compare import compare
    from .mixed.inference.contrasts import contrast
    from .mixed.inference.marginal_means import emmeans
    from .mixed.judgement.all_fit import AllFit, all_fit
    from .mixed.judgement.continuation import refit
    from .mixed.judgement.convergence import ConvergenceCheck, check_convergence
    from .mixed.judgement.quadrature_check import check_quadrature
    from .mixed.judgement.re_pca import re_pca
    from .mixed.judgement.singular import is_singular
    from .mixed.linear import LinearMixedModel, lmer
    from .mixed.marginal import alternatives, cluster_robust, gee, within, within_between
    from .mixed.missing import check_missing, sensitivity
    from .mixed.penalties import Penalty, penalised_loglik
    from .mixed.selection.aic_table import aic_table
    from .mixed.selection.averaging import average_predictions
    from .mixed.selection.conditional_aic import caic
    from .mixed.selection.cross_validation import cross_validate
    from .mixed.selection.sampling import sample_clusters
    from .mixed.selection.supported import supported_model
    from .mixed.selection.variance_test import variance_test
    from .mixed.structure.residual_structure import Residual
    from .mixed.uncertainty.bootstrap_results import MixedBootstrap
    from .mixed.uncertainty.confidence import ConfidenceIntervals
    from .mixed.uncertainty.intervals import confint
    from .mixed.uncertainty.profile import Profile, profile
    from .mixed.variance import icc, variance_shares
    from .mixtures.bootstrap_results import MixtureBootstrap, SelectionBootstrap
    from .mixtures.classification import Classification, classification
    from .mixtures.distal import DistalOutcome, distal
    from .mixtures.errors import StandardErrors, standard_errors
    from .mixtures.explained import standardized
    from .mixtures.intervals import Intervals, intervals
    from .mixtures.lrt import ClusterTest, bootstrap_lrt
    from .mixtures.membership_model import MembershipModel
    from .mixtures.predictors import predictors
    from .mixtures.propagate import PropagatedPosterior, propagated_posterior
    from .mixtures.stability import Stability, stability
    from .mixtures.wald import WaldTests, wald
    from .multilevel.compare import compare_groups
    from .multilevel.mlsem import MLSEM
    from .pipelines import mixmg_bsem, mixml_sem, mmgsem
    from .report.files import save_results
    from .report.frames import augment, clusters, glance, tidy
    from .report.methods.entry import methods_text
    from .report.methods.text import MethodsText
    from .report.summary import summary
    from .resampling import bootstrap
    from .saving import load, save
    from .structural.choice import choose_clusters
    from .structural.fit import MixtureFit
    from .structural.mixture import StructuralMixture
    from .structural.select import MixtureSelection
    from .studies.power import power
    from .studies.power_result import PowerResult


# fmt: off
__all__ = [
    "MGBCFA", "MGCFA", "MLCFA", "MLSEM", "SEM", "Alignment", "AllFit", "BayesianFit", "Bootstrap", "Classification",
    "ClusterTest", "ConfidenceIntervals", "ConvergenceCheck", "DistalOutcome", "FactorMoments", "GeneralisedFit",
    "GeneralisedMixedModel", "GuidedReport", "ImpliedCovariance", "Intervals", "InvarianceTest", "LinearMixedModel",
    "MeasurementFit", "MembershipModel", "MethodsText", "MixedBootstrap", "MixedFit", "MixtureBootstrap", "MixtureFit",
    "MixtureSelection", "ModelComparison", "NonInvariance", "Optimizer", "Penalty", "PowerResult", "Priors",
    "Profile", "PropagatedPosterior", "RandomEffectSteps", "RandomEffects", "ReleaseScores", "Residual", "SAMFit",
    "SEMFit", "SampleMoments", "Sampling", "ScoreTest", "SelectionBootstrap", "Stability", "StandardErrors",
    "StructuralMixture", "VarCorr", "WaldTests", "aic_table", "align", "all_fit", "alternatives", "anova",
    "augment", "average_predictions", "bayes", "bayes_fit_measures", "bootstrap", "bootstrap_lrt", "caic", "cfa",
    "check_convergence", "check_design", "check_missing", "check_overdispersion", "check_quadrature",
    "choose_clusters", "choose_prior_variance", "classification", "cluster_robust", "clusters", "compare",
    "compare_groups", "compare_pooling", "confint", "contrast", "cross_validate", "data", "diagnostics", "distal",
    "emmeans", "equations", "errors", "explain", "factor_moments", "factor_scores", "factors", "find_noninvariance",
    "fit_measures", "gee", "glance", "glmer", "growth", "growth_curve", "growth_syntax", "guided_report", "icc",
    "implied_cov", "inference", "intervals", "invariance_test", "is_singular", "lmer", "load", "loading_deviations",
    "measurement", "methods_text", "mixmg_bsem", "mixml_sem", "mixtures", "mmgsem", "modification_indices",
    "multilevel", "penalised_loglik", "plots", "power", "predictors", "profile", "propagated_posterior", "r2",
    "random_effect_steps", "re_pca", "refit", "release_scores", "report", "residuals", "sam", "sample_clusters",
    "save", "save_results", "score_test", "sem", "sensitivity", "simulate", "simulate_data", "simulate_mixed",
    "stability", "standard_errors", "standardized", "structural", "studies", "summary", "supported_model", "syntax",
    "tidy", "to_long", "to_wide", "variance_shares", "variance_test", "wald", "within", "within_between",
]
# fmt: on

#: The public names of each module; a name that is missing here is a submodule.
_NAMES = {
    "bayes.draws": "Sampling",
    "bayes.priors": "Priors",
    "comparison": "anova",
    "data.moments": "SampleMoments",
    "equations.bootstrap": "Bootstrap",
    "equations.compare": "ModelComparison",
    "equations.entry": "cfa growth sem",
    "equations.fit": "SEMFit",
    "equations.indices": "fit_measures",
    "equations.modification": "modification_indices",
    "equations.release": "ReleaseScores release_scores",
    "equations.residual": "residuals",
    "equations.sam": "sam",
    "equations.sam_fit": "SAMFit",
    "equations.score_tests": "ScoreTest score_test",
    "equations.simulation": "simulate_data",
    "equations.specification": "SEM",
    "factors.moments": "FactorMoments",
    "factors.sam": "factor_moments",
    "factors.scores": "factor_scores",
    "growth_curves": "growth_curve",
    "guided": "GuidedReport guided_report",
    "measurement.bayes_fit": "BayesianFit",
    "measurement.bayes_measures": "bayes_fit_measures",
    "measurement.diagnostics": "diagnostics",
    "measurement.fit": "MeasurementFit",
    "measurement.invariance": "InvarianceTest invariance_test",
    "measurement.invariance_alignment": "Alignment align",
    "measurement.invariance_deviations": "loading_deviations",
    "measurement.invariance_random": "random_effect_steps",
    "measurement.invariance_search": "NonInvariance find_noninvariance",
    "measurement.invariance_steps": "RandomEffectSteps",
    "measurement.mgbcfa": "MGBCFA",
    "measurement.mgcfa": "MGCFA",
    "measurement.mlcfa": "MLCFA",
    "measurement.prior_choice": "choose_prior_variance",
    "mixed.audit": "check_design check_overdispersion explain",
    "mixed.judgement.all_fit": "AllFit all_fit",
    "mixed.judgement.continuation": "refit",
    "mixed.uncertainty.bootstrap_results": "MixedBootstrap",
    "mixed.uncertainty.confidence": "ConfidenceIntervals",
    "mixed.inference.compare": "compare",
    "mixed.inference.contrasts": "contrast",
    "mixed.judgement.convergence": "ConvergenceCheck check_convergence",
    "mixed.fit": "MixedFit",
    "mixed.growth.reshape": "to_long to_wide",
    "mixed.growth.syntax": "growth_syntax",
    "mixed.derived.implied": "ImpliedCovariance implied_cov",
    "mixed.derived.pooling": "compare_pooling",
    "mixed.uncertainty.intervals": "confint",
    "mixed.generalised.fit": "GeneralisedFit",
    "mixed.generalised.glmer": "GeneralisedMixedModel glmer",
    "mixed.linear": "LinearMixedModel lmer",
    "mixed.marginal": "alternatives cluster_robust gee within within_between",
    "mixed.missing": "check_missing sensitivity",
    "mixed.penalties": "Penalty penalised_loglik",
    "mixed.inference.marginal_means": "emmeans",
    "mixed.engine.optimise": "Optimizer",
    "mixed.uncertainty.profile": "Profile profile",
    "mixed.variance": "icc variance_shares",
    "mixed.derived.random_effects": "RandomEffects",
    "mixed.judgement.quadrature_check": "check_quadrature",
    "mixed.judgement.re_pca": "re_pca",
    "mixed.selection.aic_table": "aic_table",
    "mixed.selection.averaging": "average_predictions",
    "mixed.selection.conditional_aic": "caic",
    "mixed.selection.cross_validation": "cross_validate",
    "mixed.selection.sampling": "sample_clusters",
    "mixed.selection.supported": "supported_model",
    "mixed.selection.variance_test": "variance_test",
    "mixed.structure.residual_structure": "Residual",
    "mixed.derived.simulate": "simulate_mixed",
    "mixed.judgement.singular": "is_singular",
    "mixed.derived.varcorr": "VarCorr",
    "mixtures.bootstrap_results": "MixtureBootstrap SelectionBootstrap",
    "mixtures.classification": "Classification classification",
    "mixtures.distal": "DistalOutcome distal",
    "mixtures.errors": "StandardErrors standard_errors",
    "explained": "r2",
    "mixtures.explained": "standardized",
    "mixtures.intervals": "Intervals intervals",
    "mixtures.lrt": "ClusterTest bootstrap_lrt",
    "mixtures.membership_model": "MembershipModel",
    "mixtures.predictors": "predictors",
    "mixtures.propagate": "PropagatedPosterior propagated_posterior",
    "mixtures.stability": "Stability stability",
    "mixtures.wald": "WaldTests wald",
    "multilevel.compare": "compare_groups",
    "multilevel.mlsem": "MLSEM",
    "pipelines": "mixmg_bsem mixml_sem mmgsem",
    "report.files": "save_results",
    "report.frames": "augment clusters glance tidy",
    "report.methods.entry": "methods_text",
    "report.methods.text": "MethodsText",
    "report.summary": "summary",
    "resampling": "bootstrap",
    "saving": "load save",
    "structural.choice": "choose_clusters",
    "structural.fit": "MixtureFit",
    "structural.mixture": "StructuralMixture",
    "structural.select": "MixtureSelection",
    "studies.power": "power",
    "studies.power_result": "PowerResult",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}


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
