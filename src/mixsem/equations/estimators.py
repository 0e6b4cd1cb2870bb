"""Estimators by lavaan's names: a discrepancy, standard errors and a test each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import OptionError, did_you_mean

__all__ = ["ESTIMATORS", "Estimator", "estimator_of"]

Discrepancy = Literal["ML", "GLS", "ULS", "WLS", "DWLS"]
Errors = Literal["information", "moments", "sandwich"]
Test = Literal["standard", "satorra-bentler", "yuan-bentler", "scaled-shifted", "mean-var-adjusted"]


@dataclass(frozen=True, slots=True)
class Estimator:
    """What is minimised, and how its uncertainty is judged.

    Attributes
    ----------
    name
        lavaan's name, such as ``"MLR"``.
    discrepancy
        What is minimised.
    errors
        Standard errors from the ``"information"`` matrix, robust ones from the fourth ``"moments"`` of the data
        (Browne, 1984), or the ``"sandwich"`` of observed information and casewise scores (Huber, 1967; White, 1980).
    test
        The test of the model: ``"standard"``, or one that is corrected for non-normal data: scaled
        (Satorra & Bentler, 1994; Yuan & Bentler, 2000), scaled and shifted (Asparouhov & Muthén, 2010), adjusted in
        mean and variance (Satorra & Bentler, 1994).
    needs_rows
        Whether moments are not enough.
    """

    name: str
    discrepancy: Discrepancy
    errors: Errors = "information"
    test: Test = "standard"

    @property
    def needs_rows(self) -> bool:
        """Whether moments are not enough: fourth moments or casewise scores are used."""
        return self.robust or self.discrepancy in ("WLS", "DWLS")

    @property
    def robust(self) -> bool:
        """Whether standard errors or test allow for non-normal data."""
        return self.errors != "information" or self.test != "standard"

    @property
    def likelihood(self) -> bool:
        """Whether it maximises the normal likelihood, so that there is a log-likelihood."""
        return self.discrepancy == "ML"


ESTIMATORS = {
    e.name: e
    for e in (
        Estimator("ML", "ML"),
        Estimator("MLR", "ML", "sandwich", "yuan-bentler"),
        Estimator("MLM", "ML", "moments", "satorra-bentler"),
        Estimator("MLMV", "ML", "moments", "scaled-shifted"),
        Estimator("MLMVS", "ML", "moments", "mean-var-adjusted"),
        Estimator("GLS", "GLS"),
        Estimator("ULS", "ULS"),
        Estimator("ULSMV", "ULS", "moments", "scaled-shifted"),
        Estimator("WLS", "WLS"),
        Estimator("DWLS", "DWLS"),
        Estimator("WLSM", "DWLS", "moments", "satorra-bentler"),
        Estimator("WLSMV", "DWLS", "moments", "scaled-shifted"),
    )
}
"""All estimators by name."""


def estimator_of(name: str) -> Estimator:
    """Find an estimator by its name, in capitals or not.

    Raises
    ------
    OptionError
        If there is none of that name.

    Examples
    --------
    >>> estimator_of("mlr").test
    'yuan-bentler'
    """
    found = ESTIMATORS.get(name.upper()) if isinstance(name, str) else None
    if found is None:
        raise OptionError(
            f"estimator={name!r}", allowed=", ".join(ESTIMATORS), todo=did_you_mean(str(name), ESTIMATORS)
        )
    return found
