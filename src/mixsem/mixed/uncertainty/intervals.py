"""Confidence intervals of a mixed model: by profile likelihood, Wald's, or by parametric bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from ...errors import OptionError, did_you_mean
from ..inference.ddf import Ddf, Inference, inference_of, is_generalised, require_level, t_table
from ..require import AnyFit, require_any_fit
from .confidence import ConfidenceIntervals, intervals_frame, structure_notes
from .parameters import choose_parameters, fitted_values

__all__ = ["confint"]

Method = Literal["profile", "wald", "bootstrap"]
METHODS: tuple[Method, ...] = ("profile", "wald", "bootstrap")
Progress = Callable[[str, int, int], None]


def confint(
    fit: AnyFit,
    method: Method = "profile",
    *,
    level: float = 0.95,
    which: str | Sequence[str] | None = None,
    ddf: Ddf | Inference | None = None,
    n: int = 1000,
    seed: int | None = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> ConfidenceIntervals:
    """Confidence intervals of the parameters of a mixed model.

    Parameters
    ----------
    fit
        The fit.
    method
        ``"profile"``: where the profile likelihood has fallen by half a chi-square quantile; limits are exact, and
        those of standard deviations and correlations respect their bounds. ``"wald"``: fixed effects only, estimate
        and standard error. ``"bootstrap"``: percentiles of fits to data drawn from the fit.
    level
        Confidence level.
    which
        Parameters: ``"random"`` (standard deviations, correlations, and sigma or the parameter of a family),
        ``"fixed"``, or names such as ``"sd_Days|Subject"``; all by default.
    ddf
        For ``"wald"``: ``"satterthwaite"``, the default for linear models; ``"kenward-roger"``; ``"none"`` for z, all
        that generalised models have.
    n, seed, workers
        For ``"bootstrap"``, see `bootstrap_mixed`. What a method does not use is refused.
    progress
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    ConfidenceIntervals
        Prints as a table; `frame` has the numbers.

    Raises
    ------
    OptionError
        If an option is not what is allowed, or not for this method.

    Notes
    -----
    Parameters of a residual structure have no intervals: ratios of standard deviations and phi are taken as known.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> confint(fit).frame[["parameter", "lower", "upper"]].round(2)
                        parameter   lower   upper
    0      sd_(Intercept)|Subject   14.38   37.72
    1  cor_Days.(Intercept)|Subject   -0.48    0.69
    2             sd_Days|Subject    3.80    8.75
    3                       sigma   22.90   28.86
    4                 (Intercept)  237.68  265.13
    5                        Days    7.36   13.58
    """
    require_level(level)
    require_any_fit(fit, "confint")
    _refuse_unused(method, ddf, n, seed, workers)
    if method == "profile":
        from .profile import profile_intervals

        return profile_intervals(fit, which, level, progress)
    if method == "wald":
        return _wald(fit, which, level, ddf)
    if method == "bootstrap":
        from .bootstrap import bootstrap_mixed

        chosen = [p.name for p in choose_parameters(fit.model, which)]
        drawn = bootstrap_mixed(fit, n, seed=seed, workers=workers, progress=progress)
        return drawn.intervals(level, which=chosen)
    raise OptionError(
        f"method={method!r}",
        allowed=", ".join(map(repr, METHODS)),
        todo=did_you_mean(str(method), METHODS) or "leave it at 'profile'",
    )


def _refuse_unused(method: str, ddf: Ddf | Inference | None, n: int, seed: int | None, workers: int) -> None:
    """Refuse options that mean nothing for a method, which would pass unnoticed."""
    drawing = {"n": n != 1000, "seed": seed != 0, "workers": workers != 1}
    given = {"profile": {"ddf": ddf is not None, **drawing}, "wald": drawing}.get(method, {"ddf": ddf is not None})
    unused = [f"{name}=" for name, set_by_user in given.items() if set_by_user]
    if unused and method in METHODS:
        owner = "'wald'" if unused[0] == "ddf=" else "'bootstrap'"
        raise OptionError(
            f"{', '.join(unused)} for method={method!r}, which does not use {'it' if len(unused) == 1 else 'them'}",
            allowed=f"{unused[0]} for method={owner}",
            todo=f"leave {', '.join(unused)} out, or use method={owner}",
        )


def _wald(
    fit: AnyFit, which: str | Sequence[str] | None, level: float, ddf: Ddf | Inference | None
) -> ConfidenceIntervals:
    """Estimate and standard error; no limits for standard deviations and correlations."""
    chosen = choose_parameters(fit.model, which)
    known = inference_of(fit, ddf)
    fixed = t_table(known, np.eye(fit.model.p), level)
    lower, upper = np.full(len(chosen), np.nan), np.full(len(chosen), np.nan)
    for i, p in enumerate(chosen):
        if p.kind == "fixed":
            lower[i], upper[i] = fixed["lower"][p.row], fixed["upper"][p.row]
    notes = [known.note]
    rough = is_generalised(fit) and fit.n_agq == 0
    other = "bootstrap" if rough or fit.residual is not None else "profile"
    if any(p.kind != "fixed" for p in chosen):
        notes.append(
            "No Wald limits for standard deviations and correlations: their estimates are far from normal, and may lie"
            f" on a bound. Use method='{other}'."
        )
    notes += structure_notes(fit)
    estimates = fitted_values(fit, chosen)
    frame = intervals_frame(chosen, estimates, lower, upper)
    return ConfidenceIntervals(f"{100 * level:g}% Wald intervals", frame, tuple(notes), "wald", level)
