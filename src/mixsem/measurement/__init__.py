"""Step 1: measurement models."""

from .fit import BlockFit, MeasurementFit
from .mgcfa import MGCFA

__all__ = ["MGCFA", "BlockFit", "MeasurementFit"]
