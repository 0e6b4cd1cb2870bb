"""Weak penalties that keep variances of random effects away from zero: asked for, never a default."""

from .penalised import penalised_loglik
from .penalty import Penalty

__all__ = ["Penalty", "penalised_loglik"]
