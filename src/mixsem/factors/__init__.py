"""Step 2: factor covariances of every group."""

from .moments import FactorMoments
from .sam import factor_moments

__all__ = ["FactorMoments", "factor_moments"]
