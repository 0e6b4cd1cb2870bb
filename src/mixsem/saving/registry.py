"""What may stand in a file: names that never change, and the classes they stand for now.

A class may be renamed or moved: its name here stays, so that files of yesterday are read tomorrow. A field that is
renamed or replaced needs a line in `MIGRATIONS` of `versions`.
"""

from __future__ import annotations

import importlib
from functools import cache

__all__ = ["KINDS", "class_of", "name_of"]

#: Part of the package -> names and classes. Plain ones are stored field by field, the others by their recipe.
_PARTS: dict[str, dict[str, str]] = {
    "bayes": {"draws.Draws": "draws", "draws.Sampling": "sampling"},
    "bayes.priors": {
        "Beta": "prior-beta",
        "Flat": "prior-flat",
        "Gamma": "prior-gamma",
        "HalfNormal": "prior-half-normal",
        "HalfT": "prior-half-t",
        "InverseGamma": "prior-inverse-gamma",
        "Normal": "prior-normal",
        "Priors": "priors",
    },
    "bayes.roles": {
        "Approximate": "role-approximate",
        "Equal": "role-equal",
        "Free": "role-free",
        "Random": "role-random",
    },
    "data": {
        "grouped.GroupedData": "grouped-data",
        "moments.SampleMoments": "sample-moments",
        "ordinal.OrdinalMoments": "ordinal-moments",
        "patterns.MissingPatterns": "missing-patterns",
    },
    "equations": {
        "bootstrap.Bootstrap": "sem-bootstrap",
        "compare.ModelComparison": "model-comparison",
        "compiled.CompiledSEM": "compiled-sem",
        "data.SEMData": "sem-data",
        "fit.SEMFit": "sem-fit",
        "release.ReleaseScores": "release-scores",
        "sam_fit.SAMBlock": "sam-block",
        "sam_fit.SAMFit": "sam-fit",
        "score_tests.ScoreTest": "score-test",
        "specification.SEM": "sem",
    },
    "errors": {"Notice": "notice"},
    "factors": {"means.FactorMeans": "factor-means", "moments.FactorMoments": "factor-moments"},
    "growth_curves": {"GrowthCurve": "growth-curve"},
    "guided": {"checks.Check": "guided-check", "part.Part": "guided-part", "report.GuidedReport": "guided-report"},
    "inference.fitmeasures": {"FitMeasures": "fit-measures"},
    "kernels": {
        "arrow.ArrowLayout": "arrow-layout",
        "arrow.ArrowSystem": "arrow-system",
        "missing_em.SaturatedEstimates": "saturated-estimates",
    },
    "measurement": {
        "bayes_fit.BayesianFit": "bayesian-fit",
        "bayes_fit.ScoreSummary": "score-summary",
        "bayes_measures.BayesFitMeasures": "bayes-fit-measures",
        "bayes_measures.BlockMeasures": "block-measures",
        "diagnostics.Diagnostics": "diagnostics",
        "fit.MeasurementFit": "measurement-fit",
        "invariance.InvarianceLevel": "invariance-level",
        "invariance.InvarianceTest": "invariance-test",
        "invariance_alignment.AlignedFactor": "aligned-factor",
        "invariance_alignment.Alignment": "alignment",
        "invariance_measures.Comparison": "invariance-comparison",
        "invariance_measures.LevelMeasures": "level-measures",
        "invariance_measures.Verdict": "invariance-verdict",
        "invariance_rules.SearchRules": "search-rules",
        "invariance_search.NonInvariance": "non-invariance",
        "invariance_search.SearchStep": "search-step",
        "invariance_steps.RandomEffectSteps": "random-effect-steps",
        "invariance_steps.RandomStep": "random-step",
        "mgbcfa.MGBCFA": "mgbcfa",
        "mgcfa.MGCFA": "mgcfa",
        "mlcfa.MLCFA": "mlcfa",
        "ordinal.AdjustedTest": "adjusted-test",
        "prior_grid.Candidate": "prior-candidate",
        "prior_grid.PriorVarianceChoice": "prior-variance-choice",
    },
    "mixed": {
        "engine.curvature.Curvature": "curvature",
        "engine.model.CompiledMixedModel": "compiled-mixed-model",
        "engine.model.State": "mixed-state",
        "engine.optimise.Optimizer": "optimizer",
        "engine.optimise.Trace": "trace",
        "fit.MixedFit": "mixed-fit",
        "linear.LinearMixedModel": "linear-mixed-model",
        "penalties.penalty.Penalty": "penalty",
        "structure.residual_structure.Residual": "residual",
        "structure.residual_structure.ResidualEstimate": "residual-estimate",
    },
    "mixed.audit.findings": {"DesignAudit": "design-audit", "Finding": "finding"},
    "mixed.derived": {
        "frame_table.FrameTable": "frame-table",
        "implied.ImpliedCovariance": "implied-covariance",
        "pooling.PoolingComparison": "pooling-comparison",
        "random_effects.RandomEffects": "random-effects",
        "varcorr.TermVariance": "term-variance",
        "varcorr.VarCorr": "var-corr",
    },
    "mixed.designs.grouping": {"GroupingFactor": "grouping-factor"},
    "mixed.generalised": {
        "binomial.Binomial": "family-binomial",
        "continuous.Gamma": "family-gamma",
        "continuous.Gaussian": "family-gaussian",
        "continuous.InverseGaussian": "family-inverse-gaussian",
        "counts.NegativeBinomial": "family-negative-binomial",
        "counts.Poisson": "family-poisson",
        "fit.GeneralisedFit": "generalised-fit",
        "glmer.GeneralisedMixedModel": "generalised-mixed-model",
        "laplace.Slope": "laplace-slope",
        "links.Link": "link",
        "model.CompiledGeneralisedModel": "compiled-generalised-model",
    },
    "mixed.inference": {
        "compare.MixedComparison": "mixed-comparison",
        "contrasts.Contrast": "contrast",
        "contrasts.JointTest": "joint-test",
        "ddf.Asymptotic": "tests-asymptotic",
        "ddf.CoefficientTable": "coefficient-table",
        "ddf.Inference": "mixed-inference",
        "f_tables.FTable": "f-table",
        "kenward_roger.KenwardRoger": "tests-kenward-roger",
        "marginal_means.MarginalMeans": "marginal-means",
        "satterthwaite.Satterthwaite": "tests-satterthwaite",
    },
    "mixed.judgement": {
        "all_fit.AllFit": "all-fit",
        "convergence.ConvergenceCheck": "convergence-check",
        "quadrature_check.QuadratureCheck": "quadrature-check",
    },
    "mixed.marginal": {
        "fixed_effects.Dropped": "dropped",
        "fixed_effects.WithinFit": "within-fit",
        "gee_fit.GEEFit": "gee-fit",
        "mundlak.WithinBetween": "within-between",
        "robust.RobustRegression": "robust-regression",
        "side_by_side.Alternatives": "alternatives",
    },
    "mixed.missing": {
        "report.MissingReport": "missing-report",
        "rubin.Pooled": "pooled",
        "sensitivity.Sensitivity": "sensitivity",
    },
    "mixed.selection": {
        "aic_table.AICTable": "aic-table",
        "conditional_aic.ConditionalAIC": "conditional-aic",
        "cross_validation.CrossValidation": "cross-validation",
        "supported.SupportedModel": "supported-model",
    },
    "mixed.uncertainty": {
        "bootstrap_results.MixedBootstrap": "mixed-bootstrap",
        "confidence.ConfidenceIntervals": "confidence-intervals",
        "profile.Profile": "profile",
    },
    "mixed.variance": {
        "explained.MixedR2": "mixed-r2",
        "intraclass.ICC": "icc",
        "tables.VarianceTable": "variance-table",
    },
    "mixtures": {
        "bootstrap_results.MixtureBootstrap": "mixture-bootstrap",
        "bootstrap_results.SelectionBootstrap": "selection-bootstrap",
        "classification.Classification": "classification",
        "design.Design": "membership-design",
        "distal.DistalOutcome": "distal-outcome",
        "errors.StandardErrors": "standard-errors",
        "intervals.Intervals": "intervals",
        "lrt.ClusterTest": "cluster-test",
        "membership_model.MembershipModel": "membership-model",
        "propagate.PropagatedPosterior": "propagated-posterior",
        "stability.OtherSolution": "other-solution",
        "stability.Stability": "stability",
        "stability.Transition": "transition",
        "wald.WaldTests": "wald-tests",
    },
    "model.fit_ml": {"Optimum": "optimum"},
    "multilevel": {
        "compare.GroupComparison": "group-comparison",
        "fit.MultilevelFit": "multilevel-fit",
        "mlsem.MLSEM": "mlsem",
    },
    "report": {
        "document.Listing": "listing",
        "document.Prose": "prose",
        "document.Summary": "summary",
        "generalised_report.GeneralisedResults": "generalised-results",
        "methods.text.MethodsText": "methods-text",
        "mixed_results.MixedResults": "mixed-results",
        "table.Cell": "cell",
        "table.Column": "column",
        "table.Table": "table",
    },
    "simulate": {
        "own.OwnPopulation": "own-population",
        "populations.Population": "population",
        "truth.Truth": "truth",
    },
    "structural": {
        "choice.Choice": "cluster-choice",
        "fit.MixtureFit": "mixture-fit",
        "fit.StartRecord": "start-record",
        "mixture.StructuralMixture": "structural-mixture",
        "path_model.PathModel": "path-model",
        "select.MixtureSelection": "mixture-selection",
        "solutions.LocalSolution": "local-solution",
    },
    "studies": {"power_result.PowerResult": "power-result", "study.Method": "study-method", "study.Study": "study"},
    "syntax": {
        "table.ParameterTable": "parameter-table",
        "table.Row": "parameter-row",
        "terms.Constraint": "constraint",
        "terms.Definition": "definition",
    },
    "syntax.expression": {
        "Call": "expression-call",
        "Chain": "expression-chain",
        "Name": "expression-name",
        "Negative": "expression-negative",
        "Number": "expression-number",
        "Power": "expression-power",
    },
}

#: Name in a file -> module and class.
KINDS: dict[str, tuple[str, str]] = {
    name: (f"mixsem.{part}.{place}".rpartition(".")[0], place.rpartition(".")[2])
    for part, classes in _PARTS.items()
    for place, name in classes.items()
}
_NAMES = {place: name for name, place in KINDS.items()}


@cache
def class_of(name: str) -> type | None:
    """The class of a name; None if this version knows none."""
    place = KINDS.get(name)
    if place is None:
        return None
    found: type = getattr(importlib.import_module(place[0]), place[1])
    return found


def name_of(kind: type) -> str | None:
    """The name of a class in files; None if it cannot be saved."""
    return _NAMES.get((kind.__module__, kind.__name__))
