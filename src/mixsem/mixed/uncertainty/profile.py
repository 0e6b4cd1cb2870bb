"""Profile likelihood of a linear mixed model: how far each parameter can move before the data object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ...errors import ConvergenceWarning, Notice, OptionError, UnsupportedModelError, enumerate_briefly, notify
from ...threads import few_threads
from ..fit import MixedFit
from ..inference.ddf import require_level
from ..linear import fit_model
from ..penalties.penalised import refuse_penalised
from ..require import AnyFit, require_any_fit
from .confidence import ConfidenceIntervals, intervals_frame
from .generalised_coordinates import GeneralisedCoordinates
from .parameters import Parameter, choose_parameters, fitted_values, parameter_values, parameters_of
from .profile_paths import Path, Point, generalised_path, path_of

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table

__all__ = ["Profile", "profile", "profile_intervals"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

#: -2 log L this much below that of the fit is another, better fit.
BETTER = 1e-5


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """Profiles of parameters of a mixed model by maximum likelihood; prints as a table of 95% intervals.

    Attributes
    ----------
    fit
        The fit by maximum likelihood.
    frame
        One row per constrained fit: parameter, value, zeta, and one column per parameter of the model with its value
        there. zeta is the signed square root of what -2 log L is above its minimum.
    level
        Level of the widest intervals that `frame` spans.
    paths
        Constrained fits so far of each parameter, which `intervals` goes on from.
    notices
        Trouble.
    reml
        Whether the fit that was profiled was one by REML, so that its estimates are others.
    """

    fit: AnyFit
    frame: pd.DataFrame
    level: float
    paths: tuple[Path, ...]
    notices: tuple[Notice, ...]
    reml: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The profiled parameters."""
        return tuple(path.parameter.name for path in self.paths)

    def intervals(self, level: float = 0.95) -> ConfidenceIntervals:
        """Profile likelihood intervals; limits are solved for, not interpolated.

        Parameters
        ----------
        level
            Confidence level.
        """
        return _intervals(self.fit, self.paths, require_level(level), _ML_NOTES if self.reml else ())

    @property
    def table(self) -> Table:
        """The 95% intervals as a table to print."""
        found = self.intervals()
        note = f"Profiled as far as {100 * self.level:g}% intervals reach; .intervals(level) has those of any level."
        return replace(found, notes=(*found.notes, note)).table

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame."""
        return self.frame.copy()

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def profile(
    fit: AnyFit,
    which: str | Sequence[str] | None = None,
    *,
    level: float = 0.99,
    points: int = 8,
    progress: Progress | None = None,
) -> Profile:
    """Profile the likelihood of a mixed model.

    One parameter after the other is held at values around its estimate while all others are fitted again. A fit by
    REML is fitted by maximum likelihood first, as lme4 does: REML criteria are not comparable over fixed effects.

    Parameters
    ----------
    fit
        The fit.
    which
        Parameters: ``"random"`` (standard deviations, correlations and sigma), ``"fixed"``, or names such as
        ``"sd_Days|Subject"``; all by default.
    level
        How far out to go: to the limits of intervals of this level.
    points
        Constrained fits on each side of the estimate, about equally far apart in zeta.
    progress
        Called as ``progress("profile", done, total)``.

    Returns
    -------
    Profile
        Its `intervals` have any level; `mixsem.plots.zeta` draws it.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    UnsupportedModelError
        For fits with a structure of the residuals.

    Warns
    -----
    ConvergenceWarning
        If a constrained fit is better than the fit itself.

    Notes
    -----
    A constrained fit of a linear model reads no rows: with a fixed effect held at v the response is y - v x_j, so that
    all cross-products follow from those of the model; standard deviations and correlations are coordinates of the
    covariance factors. Fits with ``n_agq=0`` have no profile: they are not at the maximum of their likelihood.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = profile(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()), "Days")
    >>> found.intervals().frame[["parameter", "lower", "upper"]].round(3)
      parameter  lower   upper
    0      Days  8.887  12.048

    References
    ----------
    Bates, Maechler, Bolker & Walker (2015), doi 10.18637/jss.v067.i01, section 5.1.
    """
    cut = cutoff(require_level(level))
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise OptionError(f"points={points!r}", allowed="a whole number, 2 or more")
    fitted, chosen = _by_ml(fit), choose_parameters(fit.model, which)
    visited: list[tuple[Path, list[Point]]] = []
    with few_threads(_dense(fitted)):
        paths = _paths(fitted, chosen)
        for path in paths:
            ends = [path.reach(side * cut)[0] for side in (-1.0, 1.0)]
            between = np.linspace(0.0, 1.0, points + 1)[1:-1]
            inner = [path.at_zeta(share * end.zeta) for end in ends for share in between if end.zeta != 0.0]
            kept = {p.value: p for p in [*ends, *inner, path.center]}
            visited.append((path, [kept[value] for value in sorted(kept)]))
            if progress is not None:
                progress("profile", len(visited), len(chosen))
        frame = _frame(fitted, visited)
    notices = _notices(paths)
    notify(notices)
    return Profile(fitted, frame, level, paths, notices, fit.reml)


def profile_intervals(
    fit: AnyFit, which: str | Sequence[str] | None, level: float, progress: Progress | None = None
) -> ConfidenceIntervals:
    """Profile likelihood intervals without the points in between; see `confint`."""
    fitted, chosen = _by_ml(fit), choose_parameters(fit.model, which)
    with few_threads(_dense(fitted)):
        paths = _paths(fitted, chosen)
        found = _intervals(fit, paths, require_level(level), _REML_NOTES if fit.reml else (), progress)
    notify(_notices(paths))
    return found


_REML_NOTES = ("The profile is that of the likelihood, not of the REML criterion that the estimates are from.",)
_ML_NOTES = ("Estimates are those of maximum likelihood, from where the profile begins, not those of the fit by REML.",)


def cutoff(level: float) -> float:
    """Zeta at the limits of an interval."""
    return float(ndtri(0.5 + 0.5 * level))


def _dense(fit: AnyFit) -> int:
    """Size of the dense part of the system."""
    return len(fit.model.products.tail) if isinstance(fit, MixedFit) else fit.model.rows.layout.blocks.n_tail


def _by_ml(fit: AnyFit) -> AnyFit:
    require_any_fit(fit, "profile")
    if not isinstance(fit, MixedFit):
        if fit.n_agq == 0:
            raise UnsupportedModelError(
                "the profile of a fit with n_agq=0, which is not at the maximum of its likelihood",
                allowed="fits by Laplace's approximation or quadrature",
                todo="profile fit.update(n_agq=1)",
            )
        return fit
    refuse_penalised(fit, "the likelihood profile")
    if fit.residual is not None:
        raise UnsupportedModelError(
            "the profile of a model with a structure of its residuals",
            allowed="models whose residuals are independent",
            todo="use the standard errors of the fixed effects: confint(fit, method='wald', which='fixed')",
        )
    if not fit.reml:
        return fit
    return fit_model(replace(fit.specification, reml=False), fit.model, fit.theta)


def _paths(fit: AnyFit, parameters: Sequence[Parameter]) -> tuple[Path, ...]:
    """Paths that begin at the fit, with a guess of the standard errors."""
    model = fit.model
    values = fitted_values(fit, parameters)
    fixed = fit.se.to_numpy()
    paths = []
    for p, value in zip(parameters, values, strict=True):
        if p.kind == "fixed":
            guess = fixed[p.row]
        elif p.kind in ("sigma", "dispersion"):
            guess = value / np.sqrt(2.0 * model.n)
        else:
            shape, scale = model.theta_map.terms[p.term], model.scaling.random[p.term]
            size = 1.0 / np.sqrt(2.0 * len(fit.design.factors[shape.factor].levels))
            least = 0.1 * fit.sigma / float(np.hypot(scale.center[p.row], scale.scale[p.row]))
            guess = size * (max(value, least) if p.kind == "sd" else 1.0)
        if isinstance(fit, MixedFit):
            paths.append(path_of(fit.model, p, float(value), fit.theta, fit.sigma, fit.objective, float(guess)))
        else:
            paths.append(generalised_path(fit, p, float(value), float(guess)))
    return tuple(paths)


def _intervals(
    fit: AnyFit, paths: Sequence[Path], level: float, notes: tuple[str, ...], progress: Progress | None = None
) -> ConfidenceIntervals:
    parameters = [path.parameter for path in paths]
    estimates = fitted_values(fit, parameters)
    limits = np.empty((len(paths), 2))
    bounds: dict[str, list[str]] = {}
    for i, path in enumerate(paths):
        for j, side in enumerate((-1.0, 1.0)):
            point, reached = path.reach(side * cutoff(level))
            limits[i, j] = point.value if reached else path.coordinates.bounds[j]
            if not reached:
                end = f"{limits[i, j]:g}" if np.isfinite(limits[i, j]) else "infinity"
                bounds.setdefault(end, []).append(path.parameter.name)
        if progress is not None:
            progress("profile", i + 1, len(paths))
    for end, names in bounds.items():
        verb = "ends" if len(names) == 1 else "end"
        there = f"{enumerate_briefly(names)} {verb} at {end}: up to there the likelihood does not fall enough."
        notes += (there,)
    return ConfidenceIntervals(
        f"{100 * level:g}% profile likelihood intervals",
        intervals_frame(parameters, estimates, limits[:, 0], limits[:, 1]),
        notes,
        "profile",
        level,
    )


def _frame(fit: AnyFit, visited: Sequence[tuple[Path, Sequence[Point]]]) -> pd.DataFrame:
    """One row per constrained fit, with the values of all parameters."""
    import pandas as pd

    every = parameters_of(fit.model)
    rows = [_row(fit, path, point, every) for path, points in visited for point in points]
    head = [(path.parameter.name, point.value, point.zeta) for path, points in visited for point in points]
    frame = pd.DataFrame(head, columns=["parameter", "value", "zeta"])
    return frame.join(pd.DataFrame(np.array(rows).reshape(-1, len(every)), columns=[p.name for p in every]))


def _row(fit: AnyFit, path: Path, point: Point, every: Sequence[Parameter]) -> Array:
    held, places = path.parameter, path.coordinates
    if isinstance(places, GeneralisedCoordinates):
        own_theta, own_beta, d = places.values(point.value, point.x)
        values = parameter_values(fit.model, own_theta, 1.0, own_beta, every, d)
        values[list(every).index(held)] = point.value
        return values
    theta, sigma = places.theta(point.value, point.x), places.sigma(point.value, point.x)
    beta = replace(places.model, products=places.products(point.value)).state(theta).beta
    if held.kind == "fixed":
        beta = np.insert(beta, held.row, point.value)
    values = parameter_values(fit.model, theta, sigma, beta, every)
    values[list(every).index(held)] = point.value
    return values


def _notices(paths: Sequence[Path]) -> tuple[Notice, ...]:
    better = [(path.deviance - path.lowest, path.parameter.name) for path in paths]
    gain, name = max(better, default=(0.0, ""))
    if not gain > BETTER:
        return ()
    text = (
        f"On the profile of {name} there is a fit whose -2 log-likelihood is {gain:.3g} below that of the fit: it is"
        " not at the maximum, and the intervals are not to be trusted. Fit again with another optimizer= or start=."
    )
    return (Notice(ConvergenceWarning, text),)
