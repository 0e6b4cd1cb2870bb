"""Missing values: what a fit left out and why, and the same model fitted to imputed data."""

from .report import check_missing
from .sensitivity import sensitivity

__all__ = ["check_missing", "sensitivity"]
