"""Contrasts: linear functions of the fixed effects, with tests and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import OptionError
from ..derived.frame_table import FrameTable
from ..require import require_any_fit
from .ddf import Ddf, Inference, inference_of, labelled, require_level, t_table
from .linear_functions import LinearFunctions, linear_functions

if TYPE_CHECKING:
    from ..estimates import MixedEstimates

__all__ = ["Contrast", "JointTest", "contrast"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointTest:
    """Test of several equations at once.

    Attributes
    ----------
    F
        The F statistic.
    num_df, den_df
        Its degrees of freedom; infinite denominators make it a chi-square divided by `num_df`.
    p_value
        Its p-value.
    """

    F: float
    num_df: int
    den_df: float
    p_value: float


@dataclass(frozen=True, eq=False, repr=False)
class Contrast(FrameTable):
    """Linear functions of the fixed effects.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has name, estimate, se, df, t (or z), p_value, lower, upper, one row per function, and rhs
        if anything but 0 is tested.
    joint
        The test of all rows at once.
    L
        The weights, shape (m, p).
    """

    joint: JointTest
    L: Array


def contrast(
    fit: MixedEstimates,
    L: LinearFunctions,
    *,
    names: Sequence[str] = (),
    ddf: Ddf | Inference | None = None,
    level: float = 0.95,
    rhs: ArrayLike | None = None,
) -> Contrast:
    """Estimate and test linear functions of the fixed effects.

    Parameters
    ----------
    fit
        The fit.
    L
        An equation such as ``"x - 2 * z = 0"``, several separated by ``;`` or in a list; weights by name of the
        coefficient; a matrix of weights, shape (m, p); or a mapping from labels to any of these.
    names
        Labels of the rows.
    ddf
        ``"satterthwaite"``, the default for linear models; ``"kenward-roger"`` (REML only); ``"none"`` for z, all that
        generalised models have; or the `Inference` of this fit.
    level
        Confidence level of the limits.
    rhs
        Value under the hypothesis, one or m; by default that of the equations, 0 for anything else.

    Returns
    -------
    Contrast
        Prints as a table, with a joint test if there are several rows.

    Raises
    ------
    OptionError
        If an option is none of those allowed, or weights do not fit the coefficients.
    ModelSyntaxError
        If an equation cannot be read.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> contrast(fit, "Days = 5").frame[["name", "estimate", "df", "t", "p_value"]].round(3)
           name  estimate    df      t  p_value
    0  Days = 5    10.467  17.0  3.537    0.003
    """
    require_any_fit(fit, "contrast")
    level = require_level(level)
    weights, values, labels = linear_functions(L, fit.design.fixed_names)
    if names:
        if isinstance(names, str) or len(names) != len(weights):
            raise OptionError(f"names={names!r} for {len(weights)} rows", allowed="one name per row")
        labels = tuple(names)
    if rhs is not None:
        try:
            values = np.broadcast_to(np.asarray(rhs, dtype=float), len(weights)).copy()
        except (TypeError, ValueError):
            raise OptionError(f"rhs={rhs!r}", allowed=f"one number, or {len(weights)}") from None
    known = inference_of(fit, ddf)
    frame = labelled(t_table(known, weights, level, values), "name", labels)
    if values.any():
        frame.insert(1, "rhs", values)
    joint = joint_test(known, weights, values)
    notes = (known.note,) if len(weights) == 1 else (_sentence(joint), known.note)
    return Contrast("Contrasts", frame, notes, joint, weights)


def joint_test(known: Inference, L: Array, rhs: Array) -> JointTest:
    """All rows of L beta = rhs at once."""
    from scipy.stats import f as fisher

    F, q, df = known.tests.joint(L, rhs)
    return JointTest(F, q, df, float(fisher.sf(F, q, df)))


def _sentence(joint: JointTest) -> str:
    p = "p < 0.001" if joint.p_value < 0.001 else f"p = {joint.p_value:.3f}"
    if np.isinf(joint.den_df):
        return f"All at once: chi-square({joint.num_df}) = {joint.num_df * joint.F:.3f}, {p}."
    return f"All at once: F({joint.num_df}, {joint.den_df:.1f}) = {joint.F:.3f}, {p}."
