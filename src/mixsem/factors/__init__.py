"""Step 2: factor covariances of every group, and factor scores."""

from .moments import FactorMoments
from .sam import factor_moments
from .scores import factor_scores

__all__ = ["FactorMoments", "factor_moments", "factor_scores"]
