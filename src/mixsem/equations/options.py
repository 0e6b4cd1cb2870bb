"""The options of a structural equation model, checked before anything is read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ..errors import OptionError
from ..options import as_names
from .estimators import Estimator, estimator_of
from .specification import SEM

__all__ = ["check_options", "require_groups"]

_SYNONYMS = ("fiml", "direct", "ml.x", "full")


def check_options(specification: SEM) -> Estimator:
    """Return the estimator; refuse options that are not what is allowed, or that do not go together.

    Raises
    ------
    OptionError
        Naming the option, what came and what is allowed.
    """
    ordered = specification.ordered is not False and specification.ordered != ()
    estimator = estimator_of(specification.estimator or ("WLSMV" if ordered else "ML"))
    for name in ("std_lv", "orthogonal"):
        _require_switch(name, getattr(specification, name), optional=False)
    for name in ("meanstructure", "fixed_x"):
        _require_switch(name, getattr(specification, name), optional=True)
    for name in ("group_equal", "group_partial"):
        as_names(getattr(specification, name), name)
    _require_missing(specification.missing, estimator)
    if specification.kind == "growth" and specification.meanstructure is False:
        raise OptionError("meanstructure=False of a growth curve", allowed="means, which a growth curve describes")
    if ordered and estimator.discrepancy == "ML":
        raise OptionError(
            f"ordered= with estimator {estimator.name}",
            allowed="WLSMV, WLSM, DWLS, WLS, ULS or ULSMV, on polychoric correlations",
            todo="use estimator='WLSMV'",
        )
    return estimator


def require_groups(specification: SEM, groups: Sequence[Hashable]) -> None:
    """Refuse equality over groups where there is one group only."""
    for name in ("group_equal", "group_partial"):
        given = as_names(getattr(specification, name), name)
        if given and len(groups) < 2:
            raise OptionError(
                f"{name}={given!r}, but the data are one group",
                allowed="several groups, whose parameters can be equal",
                todo="name the column of the groups with group=, or leave the option out",
            )


def _require_switch(name: str, value: object, *, optional: bool) -> None:
    if isinstance(value, bool) or (optional and value is None):
        return
    raise OptionError(f"{name}={value!r}", allowed="True or False" + (", or None to decide" if optional else ""))


def _require_missing(missing: object, estimator: Estimator) -> None:
    if missing not in ("listwise", "ml"):
        meant = isinstance(missing, str) and missing.lower() in (*_SYNONYMS, "ml")
        raise OptionError(
            f"missing={missing!r}",
            allowed="'listwise' or 'ml' (full information)",
            todo="use missing='ml'" if meant else "",
        )
    if missing == "ml" and estimator.name not in ("ML", "MLR"):
        raise OptionError(
            f"missing='ml' with estimator {estimator.name}",
            allowed="estimators ML and MLR, which use incomplete rows",
            todo="use estimator='MLR', or missing='listwise'",
        )
