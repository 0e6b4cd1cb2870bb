"""A growth curve as a text for SEM software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...errors import OptionError
from ..require import require_fit
from ..structure.residual_structure import Residual
from .curve import GrowthModel, plain_name, read_growth
from .occasions import read_occasions

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["ResidualChoice", "growth_syntax", "model_text", "residual_of"]

ResidualChoice = Literal["equal", "by occasion"]


def growth_syntax(fit: MixedFit, residuals: ResidualChoice | None = None, *, time: str | None = None) -> str:
    """Write a mixed model of people over time as a growth curve in lavaan syntax.

    Factors are the effects of the mixed model that depend on time, their loadings its values at each occasion. Effects
    of covariates of people are regressions of the factors. A text for lavaan's ``growth()`` and for `mixsem.growth`;
    the table that it needs is ``growth_curve(fit).wide``.

    Parameters
    ----------
    fit
        A fit of `lmer` with one grouping factor, whose predictors belong to people or to occasions:
        ``y ~ time * sex + (time | person)``, ``y ~ time + I(time**2) + (1 | person)`` and the like.
    residuals
        ``"equal"``: one residual variance; ``"by occasion"``: one per occasion, the default of lavaan. As in the fit
        if not given.
    time
        The column of the time; found by itself if there is one that varies within people.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        If an argument is none of what is allowed.
    ModelError, DataError
        If the model has no such form; the message names the part that has not.

    Examples
    --------
    >>> from mixsem import lmer
    >>> from mixsem.data import sleepstudy
    >>> days = sleepstudy().query("Days < 4")
    >>> print(growth_syntax(lmer("Reaction ~ Days + (Days | Subject)", days)))
    # growth factors
    Intercept =~ 1*Reaction_0 + 1*Reaction_1 + 1*Reaction_2 + 1*Reaction_3
    Days =~ 0*Reaction_0 + 1*Reaction_1 + 2*Reaction_2 + 3*Reaction_3
    # means
    Intercept ~ 1
    Days ~ 1
    # variances and covariances
    Intercept ~~ Intercept
    Days ~~ Days
    Intercept ~~ Days
    # residual variances
    Reaction_0 ~~ residual*Reaction_0
    Reaction_1 ~~ residual*Reaction_1
    Reaction_2 ~~ residual*Reaction_2
    Reaction_3 ~~ residual*Reaction_3
    """
    require_fit(fit, "growth_syntax")
    return model_text(read_growth(fit, residual_of(fit, residuals, time), time))


def residual_of(fit: MixedFit, residuals: ResidualChoice | None, time: str | None) -> Residual | None:
    """The structure of the residuals that is asked for.

    Raises
    ------
    OptionError
        If it is none of those allowed.
    """
    if residuals is None:
        return fit.specification.residual
    if residuals not in ("equal", "by occasion"):
        raise OptionError(f"residuals={residuals!r}", allowed="'equal', 'by occasion', or None for those of the fit")
    return None if residuals == "equal" else Residual(by=read_occasions(fit.design, time).times.name)


def model_text(model: GrowthModel, start: dict[tuple[str, str], float] | None = None) -> str:
    """Write a growth curve.

    Parameters
    ----------
    model
        The growth curve.
    start
        Starting values of parameters, by their left and right side (``"1"`` for a mean).
    """
    given = start or {}

    def free(left: str, operator: str, right: str, label: str = "") -> str:
        value = given.get((left, right))
        begin = "" if value is None else f"start({value!r})*"
        return f"{left} {operator} {begin}{label}{right}"

    names = [factor.name for factor in model.factors]
    means = {part.factor for part in model.fixed if not part.covariate}
    lines = ["# growth factors"]
    for factor in model.factors:
        loadings = [_number(value) for value in factor.loadings]
        lines.append(f"{factor.name} =~ " + " + ".join(f"{x}*{y}" for x, y in zip(loadings, model.items, strict=True)))
    lines.append("# means")
    lines += [free(name, "~", "1") if k in means else f"{name} ~ 0*1" for k, name in enumerate(names)]
    lines.append("# variances and covariances")
    lines += [free(f.name, "~~", f.name) if f.is_random else f"{f.name} ~~ 0*{f.name}" for f in model.factors]
    for a, one in enumerate(names):
        later = range(a + 1, len(names))
        lines += [free(one, "~~", names[b]) for b in later if (a, b) in model.correlated]
        apart = [f"0*{names[b]}" for b in later if (a, b) not in model.correlated]
        lines += [f"{one} ~~ {' + '.join(apart)}"] if apart else []
    regressions = [free(names[part.factor], "~", part.covariate) for part in model.fixed if part.covariate]
    if regressions:
        lines += ["# covariates", *regressions]
    lines.append("# residual variances")
    for item, stratum in zip(model.items, model.strata, strict=True):
        shared = model.strata.count(stratum) > 1
        label = plain_name(f"residual_{model.stratum_labels[stratum]}") + "*" if shared else ""
        lines.append(free(item, "~~", item, label))
    return "\n".join(lines)


def _number(value: float) -> str:
    """The shortest text that reads back as the number, whole numbers without a point."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
