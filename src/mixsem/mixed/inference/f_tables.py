"""F tables of the terms of the fixed part: type I, II and III."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import OptionError
from ..derived.frame_table import FrameTable
from .ddf import Asymptotic, Ddf, Inference, inference_of, is_generalised
from .hypotheses import sequential, type_2, type_3

if TYPE_CHECKING:
    from ..estimates import MixedEstimates

__all__ = ["AnovaType", "FTable", "f_table"]

AnovaType = Literal[1, 2, 3, "I", "II", "III"]

_TYPES = {1: 1, 2: 2, 3: 3, "I": 1, "II": 2, "III": 3}
_HYPOTHESES = {1: sequential, 2: type_2, 3: type_3}
_WORDS = {
    1: "Type I: each term after those before it.",
    2: "Type II: each term after all terms that do not contain it.",
    3: "Type III: each term after all others, factors with contrasts that sum to zero.",
}
EMPTY_CELLS = (
    "Type III: each term after all others. Some cells are empty, or columns follow from others: tested are SAS's"
    " functions of the coefficients that are determined, as lmerTest has them; other programs test others (car those of"
    " contrasts that sum to zero). Type II and marginal means of single cells do not depend on such a choice."
)


@dataclass(frozen=True, eq=False, repr=False)
class FTable(FrameTable):
    """Tests of the terms of the fixed part.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has term, sum_sq, mean_sq, num_df, den_df, F, p_value; without degrees of freedom term,
        chisq, num_df, p_value.
    type
        1, 2 or 3.
    ddf
        How denominator degrees of freedom were found.
    """

    type: int
    ddf: Ddf


def f_table(fit: MixedEstimates, type: AnovaType = 3, ddf: Ddf | Inference | None = None) -> FTable:
    """Test the terms of the fixed part.

    Parameters
    ----------
    fit
        The fit.
    type
        1: each term after those before it. 2: each term after all that do not contain it, where a term contains
        another if it has the same numeric variables and more factors. 3: each term after all others, with factors as
        if their contrasts summed to zero; the contrasts of the fit do not matter.
    ddf
        ``"satterthwaite"``, the default for linear models; ``"kenward-roger"`` (REML only); ``"none"`` for Wald's
        chi-square, all that generalised models have.

    Returns
    -------
    FTable
        Prints as a table. Mean squares are F, before Kenward and Roger scale it, times the residual variance, as in
        lmerTest.

    Raises
    ------
    OptionError
        If an option is none of those allowed.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> f_table(fit).frame[["term", "num_df", "den_df", "F"]].round(1)
       term  num_df  den_df     F
    0  Days       1    17.0  45.9
    """
    import pandas as pd
    from scipy.stats import chi2
    from scipy.stats import f as fisher

    if isinstance(type, bool) or type not in _TYPES:
        raise OptionError(f"type={type!r}", allowed="1, 2 or 3")
    number = _TYPES[type]
    known = inference_of(fit, ddf)
    plain = Asymptotic(known.tests.beta, known.tests.vcov)  # F before Kenward and Roger scale it
    records = []
    root = np.linalg.cholesky(np.linalg.inv(known.tests.vcov)).T if is_generalised(fit) else None
    for term, L in _HYPOTHESES[number](fit.design, root).items():
        F, q, df = known.tests.joint(L, np.zeros(len(L)))
        if known.ddf == "none":
            records.append({"term": term, "chisq": q * F, "num_df": q, "p_value": float(chi2.sf(q * F, q))})
            continue
        mean_sq = fit.sigma**2 * plain.joint(L, np.zeros(len(L)))[0]
        record = {"sum_sq": q * mean_sq, "mean_sq": mean_sq, "num_df": q, "den_df": df, "F": F}
        records.append({"term": term, **record, "p_value": float(fisher.sf(F, q, df))})
    names = ["chisq", "num_df"] if known.ddf == "none" else ["sum_sq", "mean_sq", "num_df", "den_df", "F"]
    frame = pd.DataFrame(records, columns=["term", *names, "p_value"])
    words = EMPTY_CELLS if number == 3 and fit.design.dropped_columns else _WORDS[number]
    notes = (words, known.note) if records else ("The fixed part has no term to test.",)
    return FTable("Tests of terms", frame, notes, number, known.ddf)
