"""Structural equation models as data frames, and the arrays behind every table about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from ..equations.fit import SEMFit
from ..equations.sam_fit import SAMFit
from ..equations.standardized import scale_factors, scales_of
from .thresholds import thresholds_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ParameterValues",
    "equation_glance",
    "equation_parameters",
    "parameter_values",
    "two_sided",
    "two_step_glance",
]

Array = NDArray[np.float64]

#: Half the width of a 95% interval, in standard errors.
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """Every parameter in every group; the first axis is the group, the second the row of the parameter table.

    Attributes
    ----------
    estimate, se
        Estimates and standard errors, NaN where fixed, shape (G, E).
    standardized
        Estimates in the scale of unit variances of observed variables and factors, shape (G, E).
    free
        Index of the free parameter, -1 where fixed, shape (G, E).
    """

    estimate: Array
    se: Array
    standardized: Array
    free: NDArray[np.int64]

    @property
    def z(self) -> Array:
        """Estimates over standard errors; NaN where the standard error is not known or zero."""
        return np.divide(self.estimate, self.se, out=np.full(self.se.shape, np.nan), where=self.se > 0)


def two_sided(z: Array) -> Array:
    """Two-sided p-values of z-values."""
    return np.asarray(2.0 * ndtr(-np.abs(z)))


def parameter_values(fit: SEMFit | SAMFit) -> ParameterValues:
    """Estimates, standard errors and standardized estimates of every parameter in every group."""
    model = fit.model
    estimate = model.entry_values(fit.coef)
    se = np.where(model.free >= 0, np.append(fit.standard_errors, np.nan)[model.free], np.nan)
    return ParameterValues(estimate, se, _standardized(fit, estimate), model.free)


def _standardized(fit: SEMFit | SAMFit, estimate: Array) -> Array:
    """Estimates in standard deviations (lavaan's ``std.all``)."""
    factor = scale_factors(fit.model, scales_of(fit, fit.model, fit.coef, "all"))
    with np.errstate(invalid="ignore"):
        return np.where(estimate == 0.0, 0.0, estimate * factor)


def equation_parameters(fit: SEMFit | SAMFit) -> pd.DataFrame:
    """Every parameter in every group, then the defined parameters."""
    import pandas as pd

    rows, groups, values = fit.table.rows, fit.groups, parameter_values(fit)
    repeat = len(groups)
    z = values.z
    frame = pd.DataFrame(
        {
            "group": pd.Series([g for g in groups for _ in rows], dtype=None if repeat > 1 else object),
            "lhs": [row.lhs for row in rows] * repeat,
            "op": [row.op for row in rows] * repeat,
            "rhs": [row.rhs for row in rows] * repeat,
            "label": [_label(row.label[g]) for g in range(repeat) for row in rows],
            "estimate": values.estimate.ravel(),
            "se": values.se.ravel(),
            "z": z.ravel(),
            "p_value": two_sided(z.ravel()),
            "std_all": values.standardized.ravel(),
            "free": (values.free >= 0).ravel(),
        }
    )
    return _with_defined(fit, _with_thresholds(fit, frame))


def _label(label: str) -> str:
    """What the user wrote; the labels that equalities over groups make begin with a dot."""
    return "" if label.startswith(".") else label


def _with_thresholds(fit: SEMFit | SAMFit, frame: pd.DataFrame) -> pd.DataFrame:
    """Append the thresholds of ordered items, group after group."""
    import pandas as pd

    if fit.data.ordinal is None:
        return frame
    found = thresholds_of(fit.data.ordinal)
    repeat = len(fit.groups)
    z = (found.estimate / found.se).ravel()
    own = {
        "group": [g for g in fit.groups for _ in found.items],
        "lhs": list(found.items) * repeat,
        "op": "|",
        "rhs": list(found.names) * repeat,
        "label": "",
        "estimate": found.estimate.ravel(),
        "se": found.se.ravel(),
        "z": z,
        "p_value": two_sided(z),
        "std_all": found.estimate.ravel(),  # ordered items have unit variance
        "free": True,
    }
    return pd.concat([frame, pd.DataFrame(own)], ignore_index=True)


def _with_defined(fit: SEMFit | SAMFit, frame: pd.DataFrame) -> pd.DataFrame:
    """Append defined parameters, which belong to no group, and the limits of all."""
    import pandas as pd

    if fit.constraints.definitions:
        expressions = {d.name: str(d.expression) for d in fit.constraints.definitions}
        estimate, se = (np.array(part) for part in zip(*fit.defined.values(), strict=True))
        z = np.divide(estimate, se, out=np.full(se.shape, np.nan), where=se > 0)
        own = pd.DataFrame(
            {
                "group": pd.Series([None] * len(se), dtype=object),
                "lhs": list(fit.defined),
                "op": ":=",
                "rhs": [expressions[name] for name in fit.defined],
                "label": list(fit.defined),
                "estimate": estimate,
                "se": se,
                "z": z,
                "p_value": two_sided(z),
                "std_all": np.nan,
                "free": False,
            }
        )
        frame = pd.concat([frame.astype({"group": object}), own], ignore_index=True)
    at = list(frame.columns).index("std_all")
    frame.insert(at, "lower", frame["estimate"] - NORMAL_95 * frame["se"])
    frame.insert(at + 1, "upper", frame["estimate"] + NORMAL_95 * frame["se"])
    return frame


#: What the corrected test adds to the measures, absent where there is none.
_SCALED = (
    "cfi_scaled", "tli_scaled", "rmsea_scaled", "rmsea_scaled_lower", "rmsea_scaled_upper", "rmsea_scaled_pvalue",
)  # fmt: skip
_ROBUST = ("cfi_robust", "tli_robust", "rmsea_robust", "rmsea_robust_lower", "rmsea_robust_upper")


def equation_glance(fit: SEMFit) -> pd.DataFrame:
    """One row: sizes, the test of the model, fit measures and their corrected forms (missing where there are none)."""
    import pandas as pd

    robust = fit.robust
    scaled = dict.fromkeys(("chisq_scaled", "df_scaled", "pvalue_scaled", "chisq_scale", "chisq_shift"), np.nan)
    scaled |= dict.fromkeys((*_SCALED, *_ROBUST), np.nan)
    if robust is not None:
        test = robust.model
        numbers = (test.chisq, test.df, test.pvalue, test.scale, test.shift)
        scaled |= dict(zip(scaled, numbers, strict=False)) | {name: getattr(robust, name) for name in _SCALED}
    if (population := fit.robust_measures) is not None:
        scaled |= {name: getattr(population, name) for name in _ROBUST}
    record = {
        "estimator": fit.compiled.estimator.name,
        "n_groups": len(fit.groups),
        **fit.measures.to_dict(),
        **scaled,
        "converged": fit.converged,
    }
    return pd.DataFrame([record])


def two_step_glance(fit: SAMFit) -> pd.DataFrame:
    """One row: sizes, and the test of step 2."""
    import pandas as pd

    record = {
        "method": fit.method,
        "n_groups": len(fit.groups),
        "nobs": fit.nobs,
        "n_params": fit.model.n_free,
        "n_blocks": len(fit.blocks),
        "chisq": fit.chisq,
        "df": fit.df,
        "pvalue": float(chdtrc(fit.df, fit.chisq)) if fit.df else np.nan,
        "converged": fit.converged,
    }
    return pd.DataFrame([record])
