"""Simulated populations, samples from them, and how well clusters were recovered."""

from .agreement import adjusted_rand_index, correctly_clustered, match_labels
from .own import OwnPopulation
from .pilot import population_from_fit
from .populations import Population, draw_truth
from .samples import draw_frame, draw_moments
from .truth import Truth

__all__ = [
    "OwnPopulation",
    "Population",
    "Truth",
    "adjusted_rand_index",
    "correctly_clustered",
    "draw_frame",
    "draw_moments",
    "draw_truth",
    "match_labels",
    "population_from_fit",
]
