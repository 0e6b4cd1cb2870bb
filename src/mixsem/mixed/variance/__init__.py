"""Where the variance is: R-squared, intraclass correlations, shares of the random effects."""

from .intraclass import icc
from .shares import variance_shares

__all__ = ["icc", "variance_shares"]
