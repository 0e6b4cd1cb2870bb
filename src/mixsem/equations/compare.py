"""Comparison of nested models: difference tests and changes of fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, ModelError, OptionError
from .difference import DifferenceTest, difference_test, resolved_method
from .fit import SEMFit
from .indices import sample_size
from .inputs import require_fit

if TYPE_CHECKING:
    import pandas as pd

    from ..report.table import Table

__all__ = ["ModelComparison", "anova"]


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """Nested models in the order of their degrees of freedom, each compared with the one before.

    Attributes
    ----------
    frame
        model, df, n_params, aic, bic, chisq (not corrected), chisq_diff, df_diff, p_value, rmsea_d (RMSEA of the
        difference), cfi, cfi_diff, rmsea, rmsea_diff, srmr, srmr_diff. CFI and RMSEA are the robust ones where the
        estimator has them.
    method
        How the differences were tested.
    notes
        What to know of single tests.
    """

    frame: pd.DataFrame
    method: str
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ..report.table import Column, Table

        columns = [
            Column("model", "Model"),
            Column("df", "df", "integer"),
            Column("chisq", "Chi-square", "decimal3"),
            Column("chisq_diff", "Difference", "decimal3"),
            Column("df_diff", "df diff.", "integer"),
            Column("p_value", "p", "p"),
            Column("cfi", "CFI", "decimal3"),
            Column("cfi_diff", "change", "decimal3"),
            Column("rmsea", "RMSEA", "decimal3"),
            Column("rmsea_diff", "change", "decimal3"),
            Column("srmr", "SRMR", "decimal3"),
            Column("srmr_diff", "change", "decimal3"),
            Column("aic", "AIC", "decimal1"),
            Column("bic", "BIC", "decimal1"),
        ]
        records = [
            {str(key): None if isinstance(v, float) and np.isnan(v) else v for key, v in record.items()}
            for record in self.frame.to_dict("records")
        ]
        columns = [c for c in columns if any(r[c.name] is not None for r in records)]
        return Table.from_records(
            "Comparison of nested models", columns, _texts(records), (_METHOD[self.method], *self.notes)
        )

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame."""
        return self.frame.copy()

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


_METHOD = {
    "standard": "Differences of chi-square statistics.",
    "satorra-bentler-2001": "Scaled differences (Satorra & Bentler, 2001); chi-square statistics are not corrected.",
    "satorra-bentler-2010": "Scaled differences (Satorra & Bentler, 2010); chi-square statistics are not corrected.",
    "satorra-2000": "Scaled and shifted differences (Satorra, 2000); chi-square statistics are not corrected.",
}


def anova(*fits: SEMFit, method: str = "default", names: Sequence[str] = ()) -> ModelComparison:
    """Compare nested models by chi-square differences and changes of fit.

    Models are ordered by their degrees of freedom and each is compared with the one before. That a model is nested in
    the one before (its restrictions are more) is for the user to know: the test means nothing otherwise.

    Parameters
    ----------
    *fits
        Two or more fits of `cfa`, `sem` or `growth` to the same data with the same estimator.
    method
        ``"default"``: plain differences, the scaled ones of 2001 for estimators with a scaled test (MLR, MLM, WLSM),
        and those of Satorra (2000) for tests that are adjusted otherwise (MLMV, WLSMV, MLMVS). ``"standard"``,
        ``"satorra-2000"``, ``"satorra-bentler-2001"``, and ``"satorra-bentler-2010"``, whose scaling factor rarely is
        negative, ask for one of them.
    names
        Names of the models, in the order in which they are given; ``"model 1"`` and so on by default.

    Returns
    -------
    ModelComparison
        Prints as a table; `to_pandas` has all columns.

    Raises
    ------
    OptionError
        If fewer than two fits are given, the estimators differ or have no such test.
    DataError
        If the fits are not of the same data.
    ModelError
        If two models have the same degrees of freedom.
    UnsupportedModelError
        For anything but such fits.

    Examples
    --------
    >>> import mixsem as mx
    >>> model, data = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939()
    >>> free = mx.cfa(model, data, "school")
    >>> equal = mx.cfa(model, data, "school", group_equal="loadings")
    >>> mx.anova(free, equal, names=("configural", "metric")).to_pandas()[["model", "chisq_diff", "df_diff"]].round(3)
            model  chisq_diff  df_diff
    0  configural         NaN      NaN
    1      metric       0.603      4.0

    References
    ----------
    Satorra (2000), Scaled and adjusted restricted tests in multi-sample analysis of moment structures. Satorra &
    Bentler (2001), Psychometrika 66, 507-514; (2010), Psychometrika 75, 243-248. Numbers agree with lavaan's
    ``lavTestLRT()``.
    """
    import pandas as pd

    _require_comparable(fits)
    labels = _labels(len(fits), names)
    order = sorted(range(len(fits)), key=lambda i: fits[i].measures.df)
    chosen = resolved_method(fits[0], method)
    tests: list[DifferenceTest | None] = [None]
    notes = []
    for before, after in pairwise(order):
        if fits[before].measures.df == fits[after].measures.df:
            raise ModelError(
                f"{labels[before]} and {labels[after]} have the same degrees of freedom, {fits[after].measures.df}",
                allowed="nested models, of which one has more restrictions",
                todo="compare such models by AIC or BIC",
            )
        test = difference_test(fits[before], fits[after], chosen)
        notes += _trouble(labels[before], labels[after], fits[before], fits[after], test)
        tests.append(test)
    frame = pd.DataFrame([_record(labels[i], fits[i], test) for i, test in zip(order, tests, strict=True)])
    for name in ("cfi", "rmsea", "srmr"):
        frame.insert(list(frame.columns).index(name) + 1, f"{name}_diff", frame[name].diff())
    return ModelComparison(frame, chosen, tuple(notes))


def _texts(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole numbers as such: a column with a missing value holds floats."""
    return [{**r, "df_diff": None if r["df_diff"] is None else int(r["df_diff"])} for r in records]


def _labels(n: int, names: Sequence[str]) -> tuple[str, ...]:
    if names and len(names) != n:
        raise OptionError(f"{len(names)} names for {n} fits", allowed="one name per fit")
    return tuple(names) or tuple(f"model {i + 1}" for i in range(n))


def _require_comparable(fits: tuple[SEMFit, ...]) -> None:
    for fit in fits:
        require_fit(fit, "anova")
    if len(fits) < 2:
        got = "one fit" if fits else "nothing"
        raise OptionError(f"anova() got {got}", allowed="two or more fits", todo="use fit_measures() for a single fit")
    first = fits[0]
    for fit in fits[1:]:
        if fit.compiled.estimator != first.compiled.estimator:
            raise OptionError(
                f"fits with the estimators {first.compiled.estimator.name} and {fit.compiled.estimator.name}",
                allowed="fits with the same estimator",
            )
        _require_same_data(first, fit)


def _require_same_data(first: SEMFit, fit: SEMFit) -> None:
    a, b = first.data.moments, fit.data.moments
    what = ""
    if set(a.items) != set(b.items):
        what = f"other variables: {', '.join(sorted(set(a.items) ^ set(b.items)))} only in one"
    elif a.groups != b.groups:
        what = "other groups"
    elif not np.array_equal(a.n, b.n):
        what = f"{a.n_total} and {b.n_total} rows"
    elif set(first.table.covariates) != set(fit.table.covariates):
        what = "other covariates whose moments are taken as given"
    else:
        at = [b.items.index(name) for name in a.items]
        if not np.allclose(a.covariances, b.covariances[:, at][:, :, at], rtol=1e-6, atol=0):
            what = "other values"
    if what:
        raise DataError(
            f"the fits are not of the same data ({what})",
            allowed="models of the same variables, groups and rows",
            todo="fit both to the same rows; fix loadings or slopes at 0 instead of leaving variables out",
        )


def _trouble(before: str, after: str, free: SEMFit, restricted: SEMFit, test: DifferenceTest) -> list[str]:
    if restricted.measures.chisq < free.measures.chisq - 1e-6:
        return [f"{after} fits better than {before}, which has fewer restrictions: they are not nested."]
    if np.isnan(test.chisq):
        return [
            f"The scaling factor of {after} against {before} is negative ({test.scale:.3g}): no test."
            " Use method='satorra-bentler-2010'."
        ]
    return []


def _record(label: str, fit: SEMFit, test: DifferenceTest | None) -> dict[str, object]:
    n, n_groups = sample_size(fit), len(fit.groups)
    excess = np.nan if test is None else max(test.chisq - test.df, 0.0)
    return {
        "model": label,
        "df": fit.measures.df,
        "n_params": fit.measures.n_params,
        "aic": fit.measures.aic,
        "bic": fit.measures.bic,
        "chisq": fit.measures.chisq,
        "chisq_diff": np.nan if test is None else test.chisq,
        "df_diff": np.nan if test is None else test.df,
        "p_value": np.nan if test is None else test.pvalue,
        "rmsea_d": np.nan if test is None else float(np.sqrt(n_groups * excess / (n * test.df))),
        "cfi": fit.described.cfi,
        "rmsea": fit.described.rmsea,
        "srmr": fit.measures.srmr,
    }
