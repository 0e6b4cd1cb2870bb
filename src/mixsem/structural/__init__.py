"""Step 3: clusters of groups with the same regressions."""

from .fit import MixtureFit
from .mixture import StructuralMixture
from .select import MixtureSelection

__all__ = ["MixtureFit", "MixtureSelection", "StructuralMixture"]
