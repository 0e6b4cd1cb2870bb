"""Whether Wald tests find that the regressions of the clusters differ."""

from __future__ import annotations

from ..errors import MixsemError
from ..mixtures.errors import standard_errors
from ..mixtures.wald import wald
from ..structural.fit import MixtureFit

__all__ = ["ALPHA", "wald_measures"]

#: Significance level of the tests.
ALPHA = 0.05


def wald_measures(fit: MixtureFit) -> dict[str, float]:
    """Whether a mixture's regressions differ between clusters, each by itself and all at once.

    Returns
    -------
    dict
        ``wald[F3~F1]`` for each regression and ``wald`` for all: 1 if the test of equality over clusters is
        significant (5 %, unadjusted), else 0; empty where there are no standard errors or one cluster.
    """
    if fit.k < 2:
        return {}
    try:
        tests = wald(fit, standard_errors(fit))
    except MixsemError:
        return {}
    joint = tests.joint[tests.joint["hypothesis"] == "all regressions equal over clusters"]
    found = {"wald": float((joint["p_value"] < ALPHA).any())} if len(joint) else {}
    names = tests.equal["outcome"] + "~" + tests.equal["predictor"]
    return found | {
        f"wald[{name}]": float(p < ALPHA) for name, p in zip(names, tests.equal["p_value"], strict=True) if p == p
    }
