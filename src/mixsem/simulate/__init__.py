"""Simulated populations, samples from them, and how well clusters were recovered."""

from .agreement import adjusted_rand_index, correctly_clustered, match_labels
from .populations import Population, Truth, draw_truth
from .samples import draw_frame, draw_moments

__all__ = [
    "Population",
    "Truth",
    "adjusted_rand_index",
    "correctly_clustered",
    "draw_frame",
    "draw_moments",
    "draw_truth",
    "match_labels",
]
