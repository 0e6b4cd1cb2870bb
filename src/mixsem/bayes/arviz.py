"""Draws as an ArviZ object, with names for everything."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from .draws import Draws
from .monitored import monitor, monitored_draws, shared_entries
from .posterior import Posterior

__all__ = ["to_arviz"]

Array = NDArray[np.float64]
Variable = tuple[tuple[str, ...], Any]

CHAIN = ("chain", "draw")


class Block(Protocol):
    """What is needed of a measurement block; `mixsem.measurement.bayes_fit.BayesianBlock` is one."""

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors."""

    @property
    def posterior(self) -> Posterior:
        """The compiled posterior."""

    @property
    def draws(self) -> Draws:
        """The draws."""

    @property
    def loglik(self) -> Array:
        """Log-likelihood of every draw and group, shape (chains x draws, G)."""


def to_arviz(blocks: Sequence[Block], groups: Sequence[Hashable]) -> Any:
    """Put the draws of all measurement blocks into one ArviZ ``InferenceData``.

    Parameters
    ----------
    blocks
        Blocks with the same number of chains and draws. They are sampled apart, and so independent of one another.
    groups
        Labels of the groups.

    Returns
    -------
    arviz.InferenceData
        ``posterior`` has, as far as there are any:

        - ``group_value`` (chain, draw, group, group_parameter): loadings, variances and covariances that differ over
          groups, on their natural scale; constant in a group where the value is fixed;
        - ``common_value`` (chain, draw, common_parameter): those that are equal over groups;
        - ``random_mean`` (chain, draw, mean_parameter) and ``random_sd`` (chain, draw, sd_parameter): mean and
          standard deviation over groups of random entries, of the log of a variance and of Fisher's z of a
          correlation. With a symmetric prior of approximate invariance ``random_mean`` is the common value.

        Parameters have lavaan's names, such as ``"F=~x2"``. Of entries that a label ties only the first is listed,
        and what is fixed in all groups is not. ``sample_stats`` has ``diverging`` (in any block), ``tree_depth`` (the
        deepest) and ``energy`` (the sum) by chain and draw, and the same of each block as ``diverging_block``,
        ``tree_depth_block`` and ``energy_block`` (chain, draw, block). ``log_likelihood`` has ``items`` (chain, draw,
        group): of the items of a group, over all blocks.

    Raises
    ------
    OptionError
        If blocks differ in their number of chains or draws.
    """
    with warnings.catch_warnings():  # ArviZ announces its next version whenever it is imported
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
        import xarray

    lead = blocks[0].draws.x.shape[:2]
    if any(block.draws.x.shape[:2] != lead for block in blocks):
        raise OptionError(
            "blocks have different numbers of chains or draws",
            allowed="blocks of one fit",
            todo="give all blocks of a fit, as fit.to_arviz() does",
        )
    labels = _labels(groups)
    coords: dict[str, Any] = {"chain": np.arange(lead[0]), "draw": np.arange(lead[1])}

    def dataset(variables: dict[str, Variable], extra: dict[str, Any]) -> Any:
        return xarray.Dataset(variables, coords={**coords, **extra}, attrs={"inference_library": "mixsem"})

    named, names = _posterior_variables(blocks, groups)
    loglik = sum(block.loglik for block in blocks)
    return arviz.InferenceData(
        posterior=dataset(named, {**names, **({"group": labels} if "group_value" in named else {})}),
        sample_stats=dataset(_statistics(blocks), {"block": [", ".join(block.factors) for block in blocks]}),
        log_likelihood=dataset({"items": ((*CHAIN, "group"), np.reshape(loglik, (*lead, -1)))}, {"group": labels}),
    )


def _posterior_variables(
    blocks: Sequence[Block], groups: Sequence[Hashable]
) -> tuple[dict[str, Variable], dict[str, list[str]]]:
    """Variables by name, and the names of the parameters along their last dimensions."""
    parts: dict[str, list[Array]] = {"group_value": [], "common_value": [], "random_mean": [], "random_sd": []}
    names: dict[str, list[str]] = {name: [] for name in parts}
    for block in blocks:
        posterior, x = block.posterior, block.draws.x
        varying, common = shared_entries(posterior.problem)
        values = _all_groups(posterior, x, varying)
        watched = monitor(posterior, groups)
        kind = np.array(watched.what)
        entry = np.where(watched.source < 0, watched.entry, -1)
        pieces = {
            "common_value": np.flatnonzero(np.isin(entry, common)),
            "random_mean": np.flatnonzero(kind == "mean"),
            "random_sd": np.flatnonzero(kind == "sd"),
        }
        parts["group_value"].append(values)
        names["group_value"] += [posterior.model.entries[e] for e in varying]
        for name, which in pieces.items():
            parts[name].append(monitored_draws(posterior, watched, x, which))
            names[name] += [watched.parameter[i] for i in which]
    dimension = {name: f"{name.removesuffix('_value').removeprefix('random_')}_parameter" for name in parts}
    variables: dict[str, Variable] = {}
    for name, arrays in parts.items():
        if names[name]:
            own = ("group", dimension[name]) if name == "group_value" else (dimension[name],)
            variables[name] = ((*CHAIN, *own), np.concatenate(arrays, axis=-1))
    return variables, {dimension[name]: names[name] for name in variables}


def _all_groups(posterior: Posterior, x: Array, entries: list[int]) -> Array:
    """Values of some entries in all groups, shape (C, D, G, K), one chain at a time."""
    G = posterior.problem.base.shape[0]
    values = np.empty((*x.shape[:2], G, len(entries)))
    for c in range(len(x) if entries else 0):
        values[c] = posterior.values(x[c])[..., entries]
    return values


def _statistics(blocks: Sequence[Block]) -> dict[str, Variable]:
    """Statistics of the sampler, by block and over all of them."""
    stacked = {
        "diverging": np.stack([block.draws.diverging for block in blocks], axis=-1),
        "tree_depth": np.stack([block.draws.depth for block in blocks], axis=-1),
        "energy": np.stack([block.draws.energy for block in blocks], axis=-1),
    }
    total = {
        "diverging": stacked["diverging"].any(axis=-1),
        "tree_depth": stacked["tree_depth"].max(axis=-1),
        "energy": stacked["energy"].sum(axis=-1),
    }
    variables: dict[str, Variable] = {name: (CHAIN, values) for name, values in total.items()}
    return variables | {f"{name}_block": ((*CHAIN, "block"), values) for name, values in stacked.items()}


def _labels(groups: Sequence[Hashable]) -> list[Any]:
    """Labels that a coordinate can hold: as they are if all are of one simple kind, else as text."""
    simple = all(isinstance(g, str) for g in groups) or all(
        isinstance(g, int) and not isinstance(g, bool) for g in groups
    )
    return list(groups) if simple else [str(g) for g in groups]
