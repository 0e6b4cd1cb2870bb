"""Mixed models as data frames: parameters, one line per model, one line per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from ..mixed.fit import MixedFit
from ..mixed.inference.ddf import is_generalised
from ..mixed.require import AnyFit
from .mixed_summary import has_converged

if TYPE_CHECKING:
    import pandas as pd

    from ..mixed.derived.varcorr import TermVariance

__all__ = ["mixed_augment", "mixed_glance", "mixed_parameters"]

_COLUMNS = ("effect", "group", "term", "estimate", "se", "df", "statistic", "p_value", "lower", "upper")


def mixed_parameters(fit: AnyFit) -> pd.DataFrame:
    """Fixed effects with tests and limits, then standard deviations and correlations, named as broom.mixed does.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> frame = mixed_parameters(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> frame[["effect", "group", "term", "estimate"]].round(3)
         effect     group                   term  estimate
    0     fixed      None            (Intercept)   251.405
    1     fixed      None                   Days    10.467
    2  ran_pars   Subject        sd__(Intercept)    24.740
    3  ran_pars   Subject               sd__Days     5.922
    4  ran_pars   Subject  cor__(Intercept).Days     0.066
    5  ran_pars  Residual        sd__Observation    25.592
    """
    import pandas as pd

    records = [*_fixed(fit), *(record for term in fit.varcorr.terms for record in _random(term))]
    if isinstance(fit, MixedFit):
        records.append(_parameter("Residual", "sd__Observation", fit.sigma))
    elif fit.varcorr.dispersion is not None:
        records.append(_parameter("Residual", *fit.varcorr.dispersion))
    if fit.residual is not None:
        records += [_parameter("Residual", str(name), value) for name, value in fit.residual.parameters.items()]
    frame = pd.DataFrame(records, columns=list(_COLUMNS))
    # fixed effects belong to no group: None, as in other frames, where a text column would have NaN
    return frame.assign(group=pd.Series([record["group"] for record in records], dtype=object))


def _fixed(fit: AnyFit) -> list[dict[str, object]]:
    from ..mixed.inference.ddf import inference_of, t_table

    if not fit.model.p:
        return []
    frame = t_table(inference_of(fit), np.eye(fit.model.p))
    tests = frame.rename(columns={"t": "statistic", "z": "statistic"}).to_dict("records")
    return [
        {"effect": "fixed", "group": None, "term": name, **{str(k): v for k, v in test.items()}}
        for name, test in zip(fit.design.fixed_names, tests, strict=True)
    ]


def _random(term: TermVariance) -> list[dict[str, object]]:
    """Standard deviations of a term, then its correlations, NaN beside a variance of 0."""
    k, correlation = len(term.names), term.correlation
    records = [_parameter(term.group, f"sd__{name}", float(sd)) for name, sd in zip(term.names, term.sd, strict=True)]
    pairs = [(a, b) for a in range(k) for b in range(a + 1, k)] if term.correlated else []
    names = term.names
    return records + [_parameter(term.group, f"cor__{names[a]}.{names[b]}", float(correlation[a, b])) for a, b in pairs]


def _parameter(group: str, term: str, estimate: float) -> dict[str, object]:
    return {"effect": "ran_pars", "group": group, "term": term, "estimate": estimate}


def mixed_glance(fit: AnyFit) -> pd.DataFrame:
    """One row: sizes, criterion, information criteria, how the search went.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> frame = mixed_glance(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> frame[["nobs", "reml", "criterion", "n_params", "singular"]].round(3)
       nobs  reml  criterion  n_params  singular
    0   180  True   1743.628         6     False
    """
    import pandas as pd

    from ..mixed.judgement.singular import is_singular

    record = {
        "nobs": fit.nobs,
        **_kind(fit),
        "loglik": fit.loglik,
        "reml": fit.reml,
        "criterion": fit.objective,
        "aic": fit.aic,
        "bic": fit.bic,
        "deviance": fit.deviance,
        "df_residual": fit.df_residual,
        "n_params": fit.n_params,
        "evaluations": fit.trace.evaluations,
        "converged": has_converged(fit),
        "singular": is_singular(fit),
    }
    return pd.DataFrame([record])


def _kind(fit: AnyFit) -> dict[str, object]:
    """The residual standard deviation; of generalised models the family, its parameter and the quadrature."""
    if not is_generalised(fit):
        return {"sigma": fit.sigma}
    value = np.nan if fit.dispersion is None else fit.dispersion
    return {"family": fit.family.name, "link": fit.family.link.name, "n_agq": fit.n_agq, "dispersion": value}


def mixed_augment(fit: AnyFit, *, hat: bool = False) -> pd.DataFrame:
    """The rows of the fit with what it says of them; the index is their position in the table."""
    rows = fit.design.rows
    frame = fit.design.frame.copy() if rows is None else fit.design.frame.set_axis(rows, axis="index")
    frame[".fitted"] = fit.fitted
    frame[".residual"] = fit.residuals("response")
    frame[".fixed"] = fit.fixed_part
    if not isinstance(fit, MixedFit):
        if hat:
            raise OptionError("hat=True for a generalised model", allowed="linear mixed models", todo="leave hat= out")
        return frame.assign(**{".linear": fit.linear_predictor})
    if hat:
        frame[".hat"] = fit.hat_values()
    return frame
