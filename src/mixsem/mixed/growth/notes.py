"""What to say of a growth curve beside its mixed model: in plain words, from numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["few_occasions_note", "fit_note", "likelihood_note", "method_note", "people_notes", "residual_note"]

#: Occasions beyond the number of random effects, from which covariances can be tested with free residual variances.
BEYOND_RANDOM = 2
#: Below this many people the chi-square test rejects true models too often.
MANY_PEOPLE = 100
#: p-value of that test below which the reader is told what it means.
REJECTED = 0.05


def likelihood_note(difference: float, tolerance: float, *, fewer: int, improper: Sequence[str]) -> str:
    """Say whether the two log-likelihoods are equal, or why they are not.

    Parameters
    ----------
    difference
        -2 log-likelihood of the structural equation model less that of the mixed model.
    tolerance
        Up to this they are equal.
    fewer
        People whom the structural equation model leaves out.
    improper
        Parameters of the structural equation model beyond the bounds that the mixed model has.
    """
    if fewer:
        return (
            f"The log-likelihoods are not comparable: the SEM leaves out {fewer:,} people with a missing occasion,"
            " whom the mixed model keeps. missing='ml' keeps them in the SEM too."
        )
    if abs(difference) <= tolerance:
        return "The same model: the two log-likelihoods are equal."
    if improper:
        return (
            f"The log-likelihoods differ by {abs(difference) / 2:.3g}: in the SEM {' and '.join(improper)}, which a SEM"
            " allows and a mixed model does not. The mixed model stays on the boundary instead."
        )
    return f"The log-likelihoods differ by {abs(difference) / 2:.3g}, although it is one model: " + (
        "the SEM did not arrive at its maximum." if difference > 0 else "the mixed model is not at its maximum."
    )


def method_note(*, was_reml: bool) -> str:
    """Say why there is maximum likelihood on both sides."""
    if not was_reml:
        return "Both by maximum likelihood (ML)."
    return (
        "Both by maximum likelihood (ML): a SEM has no REML. The fit that was given is by REML, and was refitted for"
        " this table; ML variances are a little smaller, as they take no account of the estimation of fixed effects."
    )


def residual_note(n_variances: int, n_occasions: int, time: str) -> str:
    """Say which residual variances there are, and what the other program does by default."""
    if n_variances == 1:
        return (
            "One residual variance for all occasions, as mixed models have it. Growth models of SEM software have one"
            " per occasion unless told otherwise: residuals='by occasion' does that on both sides."
        )
    if n_variances < n_occasions:
        return f"{n_variances} residual variances for {n_occasions} occasions, as in the fit."
    return (
        "One residual variance per occasion: the default of growth models in SEM software, and"
        f" residual=Residual(by={time!r}) of the mixed model (varIdent in nlme). residuals='equal' makes them equal."
    )


def people_notes(
    person: str, n_people: int, n_rows: int, n_complete: int, n_lost: int, missing: str
) -> tuple[str, ...]:
    """Say how many people each approach uses.

    Parameters
    ----------
    person
        The grouping factor.
    n_people, n_rows
        Of the mixed model.
    n_complete
        People with every occasion.
    n_lost
        Rows of the table that the mixed model left out.
    missing
        What the structural equation model did: ``"ml"`` or ``"listwise"``.
    """
    used = f"The mixed model uses all {n_rows:,} rows of {n_people:,} people ({person})"
    kept = f"the {n_complete:,} with every occasion" if n_complete else "nobody: none has every occasion"
    if n_complete == n_people:
        text = f"{used}; everyone has every occasion, so the SEM uses the same."
    elif missing == "ml":
        text = (
            f"{used}; the SEM the same, by full information (FIML), with standard errors from observed"
            f" information. Listwise deletion would keep {kept}."
        )
    else:
        text = f"{used}; the SEM the {n_complete:,} with every occasion (listwise deletion)."
    lost = f"{n_lost:,} rows of the table with missing values are in neither." if n_lost else ""
    return (text, lost) if lost else (text,)


def fit_note(chisq: float, df: int, p_value: float, n_people: int, *, known: bool, one_variance: bool = False) -> str:
    """Say what the test of the structural equation model adds.

    Parameters
    ----------
    chisq, df, p_value
        The test.
    n_people
        People in it.
    known
        Whether the unrestricted covariances that it compares with could be estimated.
    one_variance
        Whether all occasions have one residual variance.
    """
    if not known:
        return (
            "A SEM adds a test of the model as a whole, but not here: the unrestricted covariances of the occasions,"
            " with which it compares, cannot be estimated from so few people."
        )
    if df <= 0:
        return "The SEM has no degrees of freedom left: the curve is no restriction, and cannot be tested."
    p = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    text = (
        f"What the SEM adds is a test of the model as a whole: chi-square {chisq:.1f} with {df} degrees of freedom,"
        f" {p}, against means and covariances of the occasions that follow no curve at all."
    )
    if p_value < REJECTED:
        by_occasion = "residuals='by occasion', " if one_variance else ""
        text += (
            f" It rejects the model: these are not as the curve has them. Try {by_occasion}another curve of time, or"
            " autocorrelated residuals (residual= of lmer)."
        )
    if n_people < MANY_PEOPLE:
        text += f" With {n_people} people it rejects too often."
    return text


def few_occasions_note(n_occasions: int, n_random: int) -> str:
    """Say that there are few occasions for curves of people's own, if so."""
    wanted = n_random + BEYOND_RANDOM
    if n_random < 2 or n_occasions >= wanted:
        return ""
    return (
        f"{n_occasions} occasions for {n_random} random effects per person: their variances and those of the residuals"
        f" can hardly be told apart, and little is left to test them with. {wanted} or more are wanted."
    )
