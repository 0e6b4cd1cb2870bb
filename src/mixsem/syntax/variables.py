"""Which variable plays which part in a model: lavaan's classes of names."""

from __future__ import annotations

from dataclasses import dataclass

from .terms import ModelSyntax

__all__ = ["Variables", "classify"]


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of a model by the part they play, each in order of appearance.

    Attributes
    ----------
    latent
        Factors: what others measure (left of ``=~``), second-order factors included.
    observed
        All observed variables.
    covariates
        Observed variables that predict and are neither predicted nor items of a factor; without those whose
        variance, covariance or mean the user wrote, for they are modelled then.
    exogenous
        Factors that nothing predicts and that are no indicators of another factor.
    outcomes
        Factors and observed variables that are predicted, predict nothing and are no indicators.
    structural
        Observed variables that stand among the factors, as factors measured without error: those in regressions,
        those measured by a factor with which they also covary, and what covaries with such.
    """

    latent: tuple[str, ...]
    observed: tuple[str, ...]
    covariates: tuple[str, ...]
    exogenous: tuple[str, ...]
    outcomes: tuple[str, ...]
    structural: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Factors, then observed variables: the order in which covariances are named."""
        return (*self.latent, *self.observed)


def classify(syntax: ModelSyntax) -> Variables:
    """Sort the variables of a model into lavaan's classes.

    Examples
    --------
    >>> from mixsem.syntax.sem import parse_model
    >>> found = classify(parse_model("F =~ x1 + x2 + x3; F ~ age; income ~ F"))
    >>> found.latent, found.covariates, found.outcomes, found.structural
    (('F',), ('age',), ('income',), ('age', 'income'))
    """
    latent, observed = syntax.factors, syntax.observed
    if all(term.op == "=~" or term.op == "~~" or term.op == "~1" for term in syntax.terms):
        observed = tuple(dict.fromkeys((*(i for i in syntax.indicators if i not in latent), *observed)))
    predicted = {term.lhs for term in syntax.regressions}
    predictors = {term.rhs for term in syntax.regressions}
    indicators = set(syntax.indicators)
    described = {name for t in syntax.terms if t.op in ("~~", "~1") for name in (t.lhs, t.rhs)}
    free_of = predicted | indicators
    return Variables(
        latent=latent,
        observed=observed,
        covariates=tuple(x for x in observed if x in predictors and x not in free_of | described),
        exogenous=tuple(f for f in latent if f not in free_of),
        outcomes=tuple(v for v in (*observed, *latent) if v in predicted and v not in predictors | indicators),
        structural=_structural(syntax, latent, observed, predicted | predictors),
    )


def _structural(
    syntax: ModelSyntax, latent: tuple[str, ...], observed: tuple[str, ...], regressed: set[str]
) -> tuple[str, ...]:
    """Observed variables that need a row among the factors: the set is closed under covariances."""
    found = {name for name in observed if name in regressed}
    covariances = [(t.lhs, t.rhs) for t in syntax.covariances if t.lhs != t.rhs]
    while True:
        joined = {
            mine
            for pair in covariances
            for mine, other in (pair, pair[::-1])
            if mine in observed and (other in latent or other in found)
        }
        if joined <= found:
            return tuple(name for name in observed if name in found)
        found |= joined
