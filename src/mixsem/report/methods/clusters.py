"""A clustering in sentences: steps 1 to 3, from the sample to how the number of clusters was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...factors.moments import FactorMoments
from ...measurement.bayes_fit import BayesianFit
from ...measurement.fit import MeasurementFit
from ...mixtures.errors import StandardErrors
from ...mixtures.known import known_errors
from ...structural.choice import Choice
from ...structural.fit import MixtureFit
from ...structural.select import MixtureSelection
from ..bayesian_section import BayesianDetails
from ..mixture_tables import CERTAIN, method_name, regression_name
from ..values import group_sizes, plural
from ..words import join
from .bayesian import bayesian_parts, bayesian_software
from .measurement import measurement_sentences
from .sample import fold, sample_sentences
from .sources import cite
from .text import MethodsText, software, step

__all__ = ["cluster_methods"]

#: The papers of each method.
PAPERS = {
    "MixMG-SEM": ("mixmg_sem",),
    "MixML-SEM": ("mixml_sem",),
    "MixMG-BSEM": ("mixmg_bsem",),
}
ERRORS = {
    "two-step": (
        "Standard errors came from the observed information of the mixture {louis} and were corrected for the"
        " uncertainty of the measurement model by the two-step formula {two_step}."
    ),
    "draws": (
        "Standard errors came from the observed information of the mixture {louis} and from repeating steps 2 and 3"
        " under draws of the measurement parameters."
    ),
    "naive": (
        "Standard errors came from the observed information of the mixture {louis}, with the factor covariances taken"
        " as observed."
    ),
}


def cluster_methods(
    fits: MixtureSelection,
    choice: Choice,
    *,
    measurement: MeasurementFit | BayesianFit | None = None,
    details: BayesianDetails | None = None,
    errors: StandardErrors | None = None,
    min_size: int | None = None,
) -> MethodsText:
    """The methods section of a clustering.

    Parameters
    ----------
    fits, choice
        All fits, and which of them is described.
    measurement
        The measurement model, if there was one.
    details
        What was computed from the draws of a Bayesian one; None computes what is told of the sampling.
    errors
        Standard errors of the fit that is described; None for those that are known without being asked.
    min_size
        Smallest group that was kept when the data were read, if it is known.
    """
    fit = fits[choice.k]
    bayesian = isinstance(measurement, BayesianFit)
    steps: tuple[tuple[str, str], ...] = ()
    if isinstance(measurement, BayesianFit):
        steps = bayesian_parts(measurement, details)
    elif measurement is not None:
        steps = (("Measurement model", measurement_sentences(measurement)),)
    known = known_errors(fit)[0] if errors is None else errors
    return MethodsText(
        (
            ("Sample", _sample(fit, measurement, min_size)),
            ("Approach", _approach(fit)),
            *steps,
            ("Factor covariances", _factors(fit.moments, measurement)),
            ("Clusters", _clusters(fits, fit)),
            *((("Number of clusters", _number(fits, choice)),) if len(fits) > 1 else ()),
            ("Uncertainty", _uncertainty(fit, known)),
            ("Software", bayesian_software(measurement) if bayesian else software()),  # type: ignore[arg-type]
        )
    )


def _sample(fit: MixtureFit, measurement: MeasurementFit | BayesianFit | None, min_size: int | None) -> str:
    if measurement is not None:
        return sample_sentences(measurement.moments, min_size)
    sizes = group_sizes(fit.moments.n.tolist())
    return (
        f"The analysis was based on the covariance matrices of {plural(len(fit.moments.factors), 'factor')} in"
        f" {plural(len(fit.groups), 'group')} with {plural(fit.nobs, 'person', 'people')} ({sizes})."
    )


def _approach(fit: MixtureFit) -> str:
    name = method_name(fit)
    aim = "to find clusters of groups that share the same regressions among factors"
    if name not in PAPERS:
        return f"A mixture of structural models {cite('mixmg_sem')} was used {aim}."
    kind = {
        "MixMG-SEM": "Mixture multigroup structural equation modeling",
        "MixML-SEM": "Mixture multilevel structural equation modeling",
        "MixMG-BSEM": "Mixture multigroup Bayesian structural equation modeling",
    }[name]
    return (
        f"{kind} ({name}) {cite(*PAPERS[name])} was used {aim}, while differences between groups in measurement were"
        " accounted for. It proceeds in three steps: the measurement model, factor covariances of every group, and"
        " the mixture."
    )


def _factors(moments: FactorMoments, measurement: MeasurementFit | BayesianFit | None) -> str:
    """Step 2: from measurement to factor covariances."""
    if isinstance(measurement, BayesianFit):
        return (
            "In the second step, factor scores were treated as single indicators of their factors. Loadings"
            " (reliabilities) and unique variances of the scores followed from their posterior means and standard"
            " deviations, and corrected the factor covariances of every group for unreliability"
            f" {cite('croon')}."
        )
    if measurement is None:
        return "The factor covariances were taken as given, as if factors were measured without error."
    if len(measurement.blocks) == 1 and len(measurement.factors) > 1:
        return (
            "In the second step, the factor covariance matrix of every group was that of the measurement model"
            f" {cite('sam')}."
        )
    return (
        "In the second step, the factor covariance matrix of every group was computed from its item covariances and"
        " the measurement parameters by the maximum likelihood mapping of the local structural-after-measurement"
        f" approach {cite('sam')}."
    )


def _clusters(fits: MixtureSelection, fit: MixtureFit) -> str:
    """Step 3: the structural model, what belongs to clusters, starts, convergence."""
    path, model = fit.path, fit.specification
    names = [regression_name(path.nodes[j], path.nodes[i]) for j, i in zip(path.outcome, path.predictor, strict=True)]
    equal = [n for n, slot in zip(names, path.slot, strict=True) if slot >= 0 and path.equal[slot]]
    fixed = [n for n, is_fixed in zip(names, path.is_fixed, strict=True) if is_fixed]
    own = [n for n, is_own in zip(names, path.group_specific, strict=True) if is_own]
    special = [
        f"{join(equal)} {'was' if len(equal) == 1 else 'were'} the same in all clusters" if equal else "",
        f"{join(own)} {'was' if len(own) == 1 else 'were'} free in every group" if own else "",
        f"{join(fixed)} {'was' if len(fixed) == 1 else 'were'} fixed" if fixed else "",
    ]
    said = f"In the third step, groups were clustered on {plural(len(names), 'regression')} ({fold(names, 12)})."
    but = "; ".join(text for text in special if text)
    free = (
        "Factor (co)variances of predictors belonged to every group, and residual variances to every group within a"
        " cluster, so that the regressions alone drove the clustering."
        if model.residuals == "group"
        else "Factor (co)variances of predictors belonged to every group, residual variances to the clusters."
    )
    means = "Factor means were modeled too: outcomes had an intercept in every cluster." if path.meanstructure else ""
    leaps = f" accelerated by SQUAREM {cite('squarem')}" if model.residuals == "group" else ""
    tried = (
        f"Mixtures with {_range(list(fits))} {'cluster' if list(fits) == [1] else 'clusters'} were estimated by maximum"
        f" likelihood with the EM algorithm {cite('em')}{leaps}, which stopped when one of its steps changed the"
        f" log-likelihood by less than {model.tolerance:g} or after {model.max_iterations:,} iterations."
    )
    return step(said, f"{but[:1]}{but[1:]}." if but else "", free, means, tried, _starts(fit))


def _range(ks: Sequence[int]) -> str:
    """Numbers of clusters: "1 to 6", or each if some are left out."""
    in_a_row = len(ks) > 2 and list(ks) == list(range(ks[0], ks[-1] + 1))
    return f"{ks[0]} to {ks[-1]}" if in_a_row else join([str(k) for k in ks])


def _starts(fit: MixtureFit) -> str:
    """Starts, how many of them reached the solution, whether it converged."""
    record, model = fit.starts, fit.specification
    ended = "converged" if record.converged else "did not converge within these iterations"
    if fit.k == 1 or record.n_starts == 1:
        given = "" if fit.k == 1 or isinstance(model.start, str) else "The iterations began at a given partition. "
        return f"{given}The solution {ended}."
    drawn = "random partitions" if model.start == "hard" else "random membership probabilities"
    seeded = f" (seed {record.seed})" if record.seed is not None else ""
    said = f"Every number of clusters above 1 was started from {model.n_starts:,} {drawn}{seeded}."
    if record.n_best == 0:
        reached = "none of these starts reached the solution that splitting and merging found"
    else:
        reached = f"{record.n_best:,} of these starts reached the best solution"
    moves = "The best solution was improved by splitting and merging clusters where that was possible."
    return f"{said} {moves} With {plural(fit.k, 'cluster')}, {reached}; it {ended}."


def _number(fits: MixtureSelection, choice: Choice) -> str:
    """Which criterion chose."""
    compared = (
        f"Solutions were compared by the convex hull procedure (CHull) {cite('chull')} and by AIC, AIC3, BIC with the"
        f" number of groups (BIC_G) and of people (BIC_N), and ICL {cite('number_of_clusters')}."
    )
    chosen = plural(choice.k, "cluster")
    on = "on the log-likelihood of the factors"
    reason = {
        "chull": f"The solution with {chosen} is reported, which CHull preferred {on}.",
        "bic_g": f"The solution with {chosen} is reported, which BIC_G preferred {on}; CHull could not choose.",
        "asked": f"The solution with {chosen} is reported, as decided by the researchers.",
        "only": f"The solution with {chosen} is reported.",
    }[choice.rule]
    preferred = fits.choices
    labels = {"aic": "AIC", "aic3": "AIC3", "bic_g": "BIC_G", "bic_n": "BIC_N", "icl": "ICL", "chull": "CHull"}
    agreed = [label for name, label in labels.items() if preferred[name] == choice.k and name != choice.rule]
    others = f"{join(agreed)} preferred the same number." if agreed and choice.rule != "asked" else ""
    else_chosen = _chosen_otherwise(preferred, choice.k, labels)
    if choice.rule == "asked":
        others = f"{join(agreed)} preferred this number." if agreed else "No criterion preferred this number."
    return step(compared, reason, others, else_chosen)


def _chosen_otherwise(preferred: Mapping[str, int | None], k: int, labels: Mapping[str, str]) -> str:
    """The criteria that preferred another number than the one reported: a reader has to know."""
    by_number: dict[int, list[str]] = {}
    for name, label in labels.items():
        number = preferred[name]
        if number is not None and number != k:
            by_number.setdefault(number, []).append(label)
    said = [f"{join(names)} preferred {plural(number, 'cluster')}" for number, names in sorted(by_number.items())]
    return f"{'; '.join(said)}." if said else ""


def _uncertainty(fit: MixtureFit, errors: StandardErrors | None) -> str:
    """Standard errors and classification."""
    text = "Standard errors were not computed."
    if errors is not None:
        text = ERRORS[errors.method].format(louis=cite("louis"), two_step=cite("two_step"))
    if fit.k == 1:
        return text
    return step(
        text,
        "Groups were assigned to the cluster with the highest posterior probability; a group counted as uncertain if"
        f" that was below {CERTAIN:.2f}. Entropy R² was {fit.entropy_r2:.3f}.",
    )
