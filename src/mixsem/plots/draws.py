"""What the figures of posterior draws share: which quantities, and their draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bayes.convergence import Convergence, convergence
from ..bayes.monitored import Monitored, monitor, monitored_convergence, monitored_draws
from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..measurement.bayes_fit import BayesianBlock
from ..measurement.diagnostics import sampled_blocks, worst_first

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WORST", "chosen_draws"]

#: Quantities that are drawn if none are named.
WORST = 4


def chosen_draws(fit: object, parameters: str | Sequence[str] | None, function: str) -> pd.DataFrame:
    """Draws of chosen quantities, or of those that were sampled worst.

    Parameters
    ----------
    fit
        A fit with draws.
    parameters
        Names as in the frames of `diagnostics`, such as ``"F=~x2 [BEL]"`` or ``"sd F=~x2"``; a parameter without a
        group stands for all groups. None for the worst four by R-hat and effective sample size.
    function
        Name of the figure, for messages.

    Returns
    -------
    pandas.DataFrame
        One row per draw: ``parameter``, ``chain`` and ``draw`` (from 1), ``value``, ``diverging``, ``rhat``,
        ``ess_bulk``, ``ess_tail``; parameters in the order named, or the worst first.

    Raises
    ------
    OptionError
        If the fit has no draws, or a parameter is not in it.
    """
    import pandas as pd

    groups: Any = getattr(fit, "groups", ())
    blocks = [(block, monitor(block.posterior, groups)) for block in sampled_blocks(fit, function)]
    names = None if parameters is None else [parameters] if isinstance(parameters, str) else list(parameters)
    places = _worst(blocks) if names is None else _named(blocks, names, function)
    frames = []
    for b, i in places:
        block, watched = blocks[b]
        values = monitored_draws(block.posterior, watched, block.draws.x, np.array([i]))
        found = convergence(values)
        chain, draw = np.indices(values.shape[:2])
        columns = {
            "parameter": watched.names[i],
            "chain": chain.ravel() + 1,
            "draw": draw.ravel() + 1,
            "value": values.ravel(),
            "diverging": block.draws.diverging.ravel(),
            "rhat": found.rhat[0],
            "ess_bulk": found.ess_bulk[0],
            "ess_tail": found.ess_tail[0],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


Blocks = list[tuple[BayesianBlock, Monitored]]


def _worst(blocks: Blocks) -> list[tuple[int, int]]:
    """Block and index of the quantities that were sampled worst."""
    found = [monitored_convergence(block.posterior, watched, block.draws) for block, watched in blocks]
    places = [(b, i) for b, (_, watched) in enumerate(blocks) for i in range(watched.size)]
    rhat, bulk, tail = (np.concatenate([getattr(f, name) for f in found]) for name in ("rhat", "ess_bulk", "ess_tail"))
    return [places[i] for i in worst_first(Convergence(rhat, bulk, tail))[:WORST]]


def _named(blocks: Blocks, names: list[str], function: str) -> list[tuple[int, int]]:
    """Block and index of the quantities with these names, blanks around signs apart."""
    places: dict[str, list[tuple[int, int]]] = {}
    for b, (_, watched) in enumerate(blocks):
        for i, name in enumerate(watched.names):
            places.setdefault(_tight(name), []).append((b, i))
            if watched.what[i] == "group" and name != watched.parameter[i]:
                places.setdefault(_tight(watched.parameter[i]), []).append((b, i))
    for name in names:
        if _tight(name) not in places:
            known = [name for _, watched in blocks for name in watched.names]
            raise OptionError(
                f"{function}() found no parameter {name!r}",
                allowed=enumerate_briefly(known, 12),
                todo=did_you_mean(name, known) or "see the column 'name' of diagnostics(fit).parameters",
            )
    if not names:
        raise OptionError(f"{function}() got no parameters", allowed="one or more names", todo="leave parameters out")
    return list(dict.fromkeys(place for name in names for place in places[_tight(name)]))


def _tight(name: str) -> str:
    """A name without its blanks: "F =~ x2" is "F=~x2"."""
    return "".join(name.split())
