"""What was fitted: the model in words, its formula, how it was estimated, and the rows that it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..mixed.fit import MixedFit
from ..mixed.penalties.penalised import is_penalised, penalised_facts, penalty_note
from ..report.document import Listing, Prose
from ..report.values import plural
from ..report.words import join
from .part import Item, sentence

if TYPE_CHECKING:
    from ..mixed.designs.random_part import RandomTerm
    from ..mixed.require import AnyFit
    from .subject import Subject

__all__ = ["fitted_items", "in_words"]

INTERCEPT = "(Intercept)"


def fitted_items(subject: Subject, source: str = "") -> Iterator[Item]:
    """The model in words, then the facts."""
    yield sentence(in_words(subject.fit))
    yield Listing("", tuple(_facts(subject, source)))
    if isinstance(subject.fit, MixedFit) and is_penalised(subject.fit):
        yield Prose("", (penalty_note(subject.fit),))


def in_words(fit: AnyFit) -> str:
    """The model in two or three sentences.

    Examples
    --------
    >>> import mixsem as mx
    >>> print(in_words(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())))
    The mean of Reaction depends on Days. Over the 18 levels of Subject the intercept varies.
    """
    design = fit.design
    terms = [name for name in design.fixed_terms if name != INTERCEPT]
    depends = f"depends on {join(terms)}" if terms else "is the same for all rows but for the random effects"
    what = f"mean of {design.formula.response}"
    if not isinstance(fit, MixedFit):
        what = f"{'probability' if fit.family.has_trials else 'mean'} of {design.formula.response}"
        what = what if fit.family.link.name == "identity" else f"{fit.family.link.name} of the {what}"
    return " ".join([f"The {what} {depends}.", *(_varies(fit, term) for term in design.terms)])


def _varies(fit: AnyFit, term: RandomTerm) -> str:
    """What varies over which levels."""
    factor = fit.design.factors[term.factor]
    slopes = [name for name in term.names if name != INTERCEPT]
    parts = ["the intercept"] if INTERCEPT in term.names else []
    parts += [f"the effect{'s' if len(slopes) > 1 else ''} of {join(slopes)}"] if slopes else []
    text = f"Over the {factor.n_levels:,} levels of {factor.name} {' and '.join(parts)} "
    if len(term.names) == 1:
        return f"{text}varies."
    many = "correlations" if len(term.names) > 2 else "a correlation"
    return f"{text}vary, {f'with {many}' if term.correlated else 'taken as uncorrelated'}."


def _facts(subject: Subject, source: str) -> Iterator[tuple[str, str]]:
    fit, design = subject.fit, subject.fit.design
    if source:
        yield "Data", source
    yield "Formula", fit.formula
    if not isinstance(fit, MixedFit):
        yield "Family", f"{fit.family.name}, {fit.family.link.name} link"
    yield "Fitted by", estimation(fit)
    lost = design.n_rows - fit.nobs
    rest = f"complete ones of {design.n_rows:,}; {lost:,} left out" if lost else "all of the table"
    yield "Rows", f"{fit.nobs:,}, {rest}"
    for factor in design.factors:
        low, high = int(factor.sizes.min()), int(factor.sizes.max())
        sizes = f"{low:,} rows each" if low == high else f"{low:,} to {high:,} rows"
        alone = int((factor.sizes == 1).sum())
        yield f"Levels of {factor.name}", f"{factor.n_levels:,}, {sizes}" + (f", {alone:,} with one row" * bool(alone))
    if design.weights is not None:
        trials = not isinstance(fit, MixedFit) and fit.family.has_trials
        yield "Numbers of trials" if trials else "Weights", subject.results.weights or "a number per row"
    if design.offset is not None:
        yield "Offset", subject.results.offset or ("in the formula" if design.formula.offsets else "a number per row")
    if fit.specification.residual is not None:
        yield "Residuals", str(fit.specification.residual)
    yield from _criteria(fit)


def estimation(fit: AnyFit) -> str:
    """How the parameters were estimated."""
    if isinstance(fit, MixedFit):
        if fit.reml:
            return "restricted maximum likelihood (REML): variances allow for the estimation of fixed effects"
        return "maximum likelihood"
    from ..report.generalised_summary import approximation

    return f"maximum likelihood, {approximation(fit.n_agq)}"


def _criteria(fit: AnyFit) -> Iterator[tuple[str, str]]:
    if isinstance(fit, MixedFit) and is_penalised(fit):
        yield from penalised_facts(fit)
    else:
        yield "REML criterion" if fit.reml else "-2 log-likelihood", f"{fit.objective:,.2f}"
        yield "AIC, BIC", f"{fit.aic:,.1f}, {fit.bic:,.1f}"
    rest = fit.n_params - fit.model.p - len(fit.theta)
    variances = sum(len(term.names) for term in fit.design.terms)
    own = [f"{fit.model.p:,} fixed", plural(variances, "variance")]
    own += [plural(len(fit.theta) - variances, "covariance")] if len(fit.theta) > variances else []
    own += ["1 residual variance"] if fit.varcorr.residual_rows else []
    rest -= bool(fit.varcorr.residual_rows)
    own += [f"{rest:,} of the {'residuals' if fit.varcorr.residual_rows else 'family'}"] if rest else []
    yield "Parameters", f"{fit.n_params:,}: {join(own)}; random effects themselves are not counted"
