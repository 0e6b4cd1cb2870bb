"""Is the variance of one random effect 0? The finite-sample test of Crainiceanu & Ruppert."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, UnsupportedModelError
from ...options import require_seed, require_whole
from ..derived.frame_table import FrameTable
from ..fit import MixedFit
from ..judgement.singular import term_labels
from ..penalties.penalised import refuse_penalised
from ..structure.residual_structure import require_plain
from .comparable import require_linear
from .random_nesting import NO_RATIO, mixture_p_value
from .refitting import with_random_terms

__all__ = ["null_ratios", "variance_test"]

Array = NDArray[np.float64]

#: The grid over which the simulated likelihood is maximised, of the variance relative to the residual one and to the
#: inverse of the largest eigenvalue: logarithms of its ends, and its length. As in RLRsim.
LOWEST, HIGHEST, POINTS = -10.0, 8.0, 200
#: More levels make eigenvalues slow, and leave nothing to correct.
LARGEST = 2000
#: Numbers held at a time.
CHUNK = 4_000_000


def variance_test(fit: MixedFit, term: str | None = None, n: int = 10_000, seed: int | None = 0) -> FrameTable:
    """Test whether the variance of a random effect is 0, by the restricted likelihood ratio.

    Its distribution under the null is simulated from eigenvalues of the design, exactly in finite samples where the
    model has this random effect only; no model is fitted to simulated data.

    Parameters
    ----------
    fit
        A linear mixed model; one by maximum likelihood is refitted by REML.
    term
        Label of the random term, as ``fit.varcorr`` shows it; it has one random effect. May be left out if there is
        one term only.
    n
        Number of simulated ratios.
    seed
        Makes them repeatable.

    Returns
    -------
    FrameTable
        term, rlr (the ratio), p_value (simulated), p_boundary (1/2 chi-square(0) + 1/2 chi-square(1)), p_naive
        (chi-square(1)), zeros (share of the simulated ratios that are 0; the mixture says one half).

    Raises
    ------
    OptionError
        If the term is unknown, or has several random effects.
    UnsupportedModelError
        If the factor has too many levels for it.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = variance_test(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()), n=1000)
    >>> found.frame[["term", "rlr", "p_value"]].round(3)
          term     rlr  p_value
    0  Subject  107.199      0.0

    References
    ----------
    Crainiceanu & Ruppert (2004), Journal of the Royal Statistical Society B 66, 165-185. With further random effects:
    Greven, Crainiceanu, Kuechenhoff & Peters (2008), Journal of Computational and Graphical Statistics 17, 870-891,
    which takes these as known. As RLRsim's ``exactRLRT()``.
    """
    import pandas as pd
    from scipy.stats import chi2

    require_linear(fit, "variance_test", "the null distribution is known for normal responses only")
    refuse_penalised(fit, "variance_test()")
    require_plain(fit, "variance_test()")
    require_whole("n", n, 1)
    require_seed(seed)
    t = _term(fit, term)
    observed = max(_null_criterion(fit, t) - _by_reml(fit).objective, 0.0)
    ratios = null_ratios(fit, t, n, np.random.default_rng(seed))
    record = {
        "term": term_labels(fit)[t],
        "rlr": observed,
        "p_value": float((ratios > observed).mean()) if observed > NO_RATIO else 1.0,
        "p_boundary": mixture_p_value(observed, 1, 1),
        "p_naive": float(chi2.sf(observed, 1)),
        "zeros": float((ratios == 0.0).mean()),
    }
    alone = len(fit.design.terms) == 1
    how = "exact in finite samples" if alone else "an approximation, with the other random effects taken as known"
    notes = [f"Restricted likelihood ratio; p from {n:,} simulated ratios, {how}.", f"Model: {fit.formula}"]
    return FrameTable("Is the variance 0?", pd.DataFrame([record]), tuple(notes))


def null_ratios(fit: MixedFit, term: int, n: int, generator: np.random.Generator) -> Array:
    """Restricted likelihood ratios when the variance is 0, (n,)."""
    mu, left = _eigenvalues(fit, term)
    grid = np.exp(np.linspace(LOWEST, HIGHEST, POINTS - 1))
    shrunk = 1.0 / (1.0 + np.outer(mu, grid))
    penalty, df = np.log1p(np.outer(mu, grid)).sum(axis=0), len(mu) + left
    found = []
    step = max(1, CHUNK // max(len(mu), POINTS))
    for begin in range(0, n, step):
        m = min(step, n - begin)
        squares = generator.chisquare(1.0, (m, len(mu)))
        rest = generator.chisquare(left, m) if left else np.zeros(m)
        remains = squares @ shrunk + rest[:, None]
        total = squares.sum(axis=1) + rest
        value = df * (np.log(total)[:, None] - np.log(remains)) - penalty
        found.append(np.maximum(value.max(axis=1), 0.0))
    return np.concatenate(found)


def _eigenvalues(fit: MixedFit, term: int) -> tuple[Array, int]:
    """Those of Z' P Z relative to the largest, with P the projection off the fixed part; and how many rows are left."""
    design, chosen = fit.design, fit.design.terms[term]
    factor = design.factors[chosen.factor]
    if factor.n_levels > LARGEST:
        raise UnsupportedModelError(
            f"variance_test(): {factor.name} has {factor.n_levels:,} levels",
            allowed=f"at most {LARGEST:,} levels",
            todo="use compare(): with so many levels the mixture of chi-squares holds",
        )
    root = np.ones(design.n) if design.weights is None else np.sqrt(design.weights)
    X = np.linalg.qr(design.X * root[:, None])[0]
    z = root if chosen.Z is None else root * chosen.Z[:, 0]
    squares = np.bincount(factor.codes, z**2, minlength=factor.n_levels)
    cross = np.stack([np.bincount(factor.codes, z * x, minlength=factor.n_levels) for x in X.T], axis=1)
    values = np.linalg.eigvalsh(np.diag(squares) - cross @ cross.T)[::-1]
    values = np.maximum(values[: design.n - design.p], 0.0)
    return values / values[0], design.n - design.p - len(values)


def _term(fit: MixedFit, term: str | None) -> int:
    labels = list(term_labels(fit))
    if term is None and len(labels) == 1:
        term = labels[0]
    if term not in labels:
        raise OptionError(f"term={term!r}", allowed=", ".join(labels), todo="choose one")
    t = labels.index(term)
    names = fit.design.terms[t].names
    if len(names) > 1:
        raise OptionError(
            f"{term} has {len(names)} random effects: {', '.join(names)}",
            allowed="a term with one random effect, such as (1 | g) or (0 + x | g)",
            todo="compare(small, large, simulate=1000) tests several at once",
        )
    return t


def _by_reml(fit: MixedFit) -> MixedFit:
    from ..linear import fit_model

    return fit if fit.reml else fit_model(replace(fit.specification, reml=True), fit.model, fit.theta)


def _null_criterion(fit: MixedFit, term: int) -> float:
    """The REML criterion without the term."""
    if len(fit.design.terms) == 1:
        return fit.model.criterion(np.zeros(len(fit.theta)), reml=True)
    bars = [other.bar.text for t, other in enumerate(fit.design.terms) if t != term]
    return with_random_terms(fit, bars, reml=True).objective
