"""A Bayesian measurement model in words: what differs between groups, priors, sampling."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from ..bayes.draws import MOST_DRAWS
from ..bayes.priors import Beta, Flat, Gamma, HalfNormal, HalfT, InverseGamma, Location, Priors, Spread, as_priors
from ..bayes.roles import Approximate, Equal, Free, Random, Role
from ..kernels.problem import LAMBDA, PSI, THETA
from ..measurement.bayes_fit import BayesianFit
from ..measurement.mgbcfa import MGBCFA
from ..measurement.mlcfa import MLCFA
from ..options import as_names
from .bayes_tables import variance_name
from .values import group_sizes, one_line, plural

__all__ = [
    "bayesian_facts",
    "block_words",
    "model_name",
    "package_versions",
    "prior_entries",
    "prior_words",
    "reference_group",
    "sampling_words",
    "step1_entries",
    "variation_words",
]

#: Libraries that the draws depend on.
PACKAGES = ("nutpie", "numba", "numpy")
#: Warnings that say whether draws can be trusted.
ABOUT_DRAWS = ("SamplingWarning", "DivergenceWarning", "ApproximationWarning")


def model_name(fit: BayesianFit) -> str:
    """The model as it is called."""
    ml = isinstance(fit.specification, MLCFA)
    return f"{'Multilevel' if ml else 'Multigroup'} Bayesian confirmatory factor analysis"


def bayesian_facts(fit: BayesianFit) -> tuple[tuple[str, str], ...]:
    """Pairs of what and how: people, blocks, what differs between groups, sampling."""
    n, dropped = fit.moments.n, int(fit.moments.n_dropped.sum())
    people = f"{fit.nobs:,}; groups of {group_sizes(n.tolist())}" if n.size > 1 else f"{fit.nobs:,}"
    people += f"; {dropped:,} rows dropped because an item is missing" if dropped else ""
    facts = [
        ("People", people),
        ("Measurement blocks", block_words(fit)),
        *variation_words(fit),
        ("Priors", _preset(fit)),
        ("Posterior", sampling_words(fit)),
    ]
    return tuple((name, one_line(text)) for name, text in facts)


def step1_entries(measurement: object) -> tuple[tuple[str, str], ...]:
    """A Bayesian step 1 in a line, as a pair of what and how, for the summary of the clusters; otherwise nothing.

    R-hat takes seconds to compute with many groups: what is said is whether step 1 warned of its draws.
    """
    if not isinstance(measurement, BayesianFit):
        return ()
    varies = "; ".join(f"{what[0].lower()}{what[1:]}: {how}" for what, how in variation_words(measurement)[:1])
    warned = any(notice.name in ABOUT_DRAWS for notice in measurement.notices)
    draws = "warnings of its draws, see below" if warned else "no warning of its draws"
    return (("Step 1", one_line(f"{model_name(measurement)}; {varies}; {draws}")),)


def block_words(fit: BayesianFit) -> str:
    """Which factors were estimated together."""
    if all(len(block.factors) == 1 for block in fit.blocks):
        return "one per factor"
    if len(fit.blocks) == 1:
        return "all factors together"
    return "; ".join(", ".join(block.factors) for block in fit.blocks)


def variation_words(fit: BayesianFit) -> list[tuple[str, str]]:
    """Pairs of what and how: the parameters that may differ between groups."""
    model = fit.specification
    if isinstance(model, MLCFA):
        random = ", ".join(as_names(model.random))
        return [("Random over groups", random or "nothing")]
    named = _variances(model, fit)
    form = (
        "any two groups, around a common value" if model.symmetric else f"{reference_group(model, fit)} and any other"
    )
    words = [("Prior variance of loading differences", named)]
    if not any(isinstance(role, Approximate) for block in fit.blocks for role in block.posterior.roles):
        return words  # equal or unconstrained loadings are compared with nothing
    return [*words, ("Loadings compared", f"those of {form}" if model.symmetric else f"those of group {form}")]


def _variances(model: MGBCFA, fit: BayesianFit) -> str:
    v = model.prior_variance
    if isinstance(v, Mapping):
        listed = "; ".join(f"{' =~ '.join(map(str.strip, n.split('=~')))}: {variance_name(x)}" for n, x in v.items())
        return listed + ("" if set(fit.factors) <= set(v) else "; all others: 0.01")
    if isinstance(v, list | tuple):
        tried = ", ".join(map(variance_name, v))
        chosen = {} if fit.prior_choice is None else fit.prior_choice.chosen
        return f"chosen by DIC from {tried}: " + ", ".join(f"{f} {variance_name(c)}" for f, c in chosen.items())
    return variance_name(v)  # type: ignore[arg-type]


def reference_group(model: MGBCFA, fit: BayesianFit) -> str:
    """Label of the group that others are compared with."""
    return one_line(fit.groups[0] if model.reference is None else model.reference)


def _preset(fit: BayesianFit) -> str:
    priors = fit.specification.priors
    units = {"raw": "the items' own units", "standardized": "units of the items' within-group SDs"}
    name = priors if isinstance(priors, str) else "given"
    return f"{name}; in {units[as_priors(priors).units]}"


def sampling_words(fit: BayesianFit) -> str:
    """How draws were made, without the time it took."""
    model = fit.specification
    s = model.sampling
    ignored = "; group means ignored" if model.means == "ignore" else ""
    if model.method != "nuts":
        n = plural(min(s.chains * s.draws, MOST_DRAWS), "draw")
        return f"Metropolis-Hastings sampler with Laplace proposals, {n} per block{ignored}"
    return (
        f"No-U-Turn sampler, {plural(s.chains, 'chain')} of {plural(s.draws, 'draw')} per block after"
        f" {s.warmup:,} of warm-up, target acceptance {s.target_accept:g}{ignored}"
    )


def prior_entries(fit: BayesianFit) -> tuple[tuple[str, str], ...]:
    """Pairs of parameter and prior: those that the model has."""
    priors = as_priors(fit.specification.priors)
    roles: dict[tuple[int, bool], set[type[Role]]] = {}
    approximate: dict[float, Approximate] = {}
    for block in fit.blocks:
        problem = block.posterior.problem
        for e, role in enumerate(block.posterior.roles):
            if role is not None:
                key = int(problem.kind[e]), bool(problem.kind[e] != LAMBDA and problem.row[e] != problem.column[e])
                roles.setdefault(key, set()).add(type(role))
            if isinstance(role, Approximate):
                approximate[role.variance] = role
    model = fit.specification
    centre = "Common value of a loading"
    if isinstance(model, MGBCFA) and not model.symmetric:
        centre = f"Loading of {reference_group(model, fit)}"
    entries = []
    for key, found in sorted(roles.items()):
        entries += _entries_of(key, found, priors, centre)
        if key == (LAMBDA, False):
            entries += [_approximate_entry(role, fit) for _, role in sorted(approximate.items())]
    return tuple(entries)


def _entries_of(
    key: tuple[int, bool], roles: set[type[Role]], priors: Priors, approximate: str
) -> list[tuple[str, str]]:
    """Priors of one kind of parameters; `approximate` is what approximately equal loadings are compared with."""
    kind, pair = key
    entries = []
    relative = " relative to the item's" if priors.units == "standardized" else ""
    if kind == LAMBDA:
        if roles & {Equal, Free}:
            entries.append(("Loading" if len(roles) == 1 else "Other loading", prior_words(priors.loading)))
        if Random in roles:
            entries.append(("Random loading, mean over groups", prior_words(priors.loading)))
            entries.append(("Random loading, SD over groups", prior_words(priors.loading_spread)))
        if Approximate in roles:
            entries.append((approximate, prior_words(priors.loading)))
        return entries
    name = {THETA: "unique variance", PSI: "factor variance"}.get(kind, "parameter")
    if pair:
        name = "residual correlation" if kind == THETA else "factor correlation"
        if Random in roles:
            entries.append((f"Random {name}, mean of Fisher's z", prior_words(priors.correlation_mean)))
            entries.append((f"Random {name}, SD of Fisher's z over groups", prior_words(priors.correlation_spread)))
        if roles & {Equal, Free}:
            entries.append((name.capitalize(), prior_words(priors.correlation)))
        return entries
    if Random in roles:
        entries.append((f"Random {name}, mean of its log{relative}", prior_words(priors.log_variance)))
        entries.append((f"Random {name}, SD of its log over groups", prior_words(priors.log_variance_spread)))
    if roles & {Equal, Free}:
        spread = priors.residual_sd if kind == THETA else priors.factor_sd
        entries.append((f"Square root of a {name}", prior_words(spread)))
    return entries


def _approximate_entry(role: Approximate, fit: BayesianFit) -> tuple[str, str]:
    if role.reference is None:
        return (
            "Loading of a group less the common value",
            f"normal, mean 0, variance {role.variance / 2:g} (so that two groups differ with {role.variance:g})",
        )
    return (
        f"Loading of a group less that of {one_line(fit.groups[role.reference])}",
        f"normal, mean 0, variance {role.variance:g}",
    )


def prior_words(prior: Location | Spread | Beta) -> str:
    """A prior distribution in words.

    Examples
    --------
    >>> from mixsem.bayes import Gamma, Normal
    >>> prior_words(Normal(0, 10)), prior_words(Gamma(1, 0.5))
    ('normal, mean 0, SD 10', 'gamma, shape 1, rate 0.5')
    """
    if isinstance(prior, Flat):
        return "flat"
    if isinstance(prior, Gamma):
        return f"gamma, shape {prior.shape:g}, rate {prior.rate:g}"
    if isinstance(prior, HalfNormal):
        return f"half-normal, SD {prior.sd:g}"
    if isinstance(prior, HalfT):
        return f"half-t, {prior.df:g} df, scale {prior.scale:g}"
    if isinstance(prior, InverseGamma):
        flat = ": flat" if (prior.shape, prior.scale) == (-1.0, 0.0) else ""
        return f"inverse gamma on the variance, shape {prior.shape:g}, scale {prior.scale:g}{flat}"
    if isinstance(prior, Beta):
        return f"(1 + r)/2 is beta({prior.a:g}, {prior.b:g})"
    return f"normal, mean {prior.mean:g}, SD {prior.sd:g}"


def package_versions() -> dict[str, str]:
    """Versions of the libraries that the draws depend on."""
    return {name: version(name) for name in PACKAGES}
