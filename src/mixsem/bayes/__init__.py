"""Bayesian estimation of factor models for many groups: priors, posterior, sampler, draws and what they say."""

from .draws import Draws, Sampling
from .priors import Beta, Flat, Gamma, HalfNormal, HalfT, InverseGamma, Normal, Priors

__all__ = [
    "Beta",
    "Draws",
    "Flat",
    "Gamma",
    "HalfNormal",
    "HalfT",
    "InverseGamma",
    "Normal",
    "Priors",
    "Sampling",
]
