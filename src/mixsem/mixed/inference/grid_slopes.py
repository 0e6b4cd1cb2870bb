"""Slopes of the columns of X at the rows of a reference grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean, enumerate_briefly
from ..designs.predictor_types import as_floats
from .reference_grid import ReferenceGrid, grid_matrix

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["grid_slopes"]

Array = NDArray[np.float64]

#: Step of the difference quotient of a slope, as a share of the variable's range: exact for parabolas.
SLOPE_STEP = 1e-4


def grid_slopes(design: Design, grid: ReferenceGrid, name: str) -> Array:
    """Derivatives of the columns of X by a variable, at the rows of the grid.

    At the ends of the data both steps go inwards: a spline has no value beyond them.

    Raises
    ------
    OptionError
        If it is no numeric variable of the fixed part.
    """
    if name not in grid.levels or design.types.categories[name] is not None:
        numeric = [n for n in grid.levels if design.types.categories[n] is None]
        raise OptionError(
            f"slope={name!r}",
            allowed=f"a numeric variable of the fixed part: {enumerate_briefly(numeric) or 'there is none'}",
            todo=did_you_mean(str(name), numeric),
        )
    values, here = as_floats(design.frame[name]), grid.frame[name].to_numpy(dtype=float)
    low, high = float(values.min()), float(values.max())
    step = SLOPE_STEP * (high - low or 1.0)
    # Multiples of the step: one below and above, or two to the inner side of a row at an end.
    side = np.where(
        (here <= high) & (here + step > high), -1.0, np.where((here >= low) & (here - step < low), 1.0, 0.0)
    )
    if high == low:
        side[:] = 0.0
    near, far = (
        grid_matrix(design, grid.frame.assign(**{name: here + step * move}))
        for move in (np.where(side == 0.0, 1.0, side), np.where(side == 0.0, -1.0, 2.0 * side))
    )
    if not side.any():
        return (near - far) / (2.0 * step)
    inwards = (4.0 * near - far - 3.0 * grid_matrix(design, grid.frame)) * side[:, None]
    return np.where(side[:, None] == 0.0, near - far, inwards) / (2.0 * step)
