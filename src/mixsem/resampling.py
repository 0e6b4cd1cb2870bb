"""One name for every bootstrap: ``mixsem.bootstrap`` of equations, of mixtures, and of mixed models.

Importing this module teaches `bootstrap` what to do with fits of `lmer` and `glmer`.
"""

from __future__ import annotations

from .mixed.estimates import MixedEstimates
from .mixed.uncertainty.bootstrap import bootstrap_mixed
from .mixtures.bootstrap import bootstrap

__all__ = ["bootstrap"]

bootstrap.register(MixedEstimates)(bootstrap_mixed)
