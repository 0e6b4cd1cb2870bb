"""One name for every bootstrap: ``mixsem.bootstrap`` of equations, of mixtures, and of mixed models.

Importing this module teaches `bootstrap` what to do with fits of `lmer` and `glmer`.
"""

from __future__ import annotations

from .mixed.fit import MixedFit
from .mixed.generalised.fit import GeneralisedFit
from .mixed.uncertainty.bootstrap import bootstrap_mixed
from .mixtures.bootstrap import bootstrap

__all__ = ["bootstrap"]

bootstrap.register(MixedFit)(bootstrap_mixed)
bootstrap.register(GeneralisedFit)(bootstrap_mixed)
