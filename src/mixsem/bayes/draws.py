"""Posterior draws of one measurement block, and the settings they were drawn with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..options import require_progress, require_seed

__all__ = ["DEFAULT_SAMPLING", "MOST_DRAWS", "Draws", "Report", "Sampling", "check_run"]

Array = NDArray[np.float64]
#: Told the draws done and the draws to do, over all chains.
Report = Callable[[int, int], None]


#: What numbers of a sampler may be. A year of draws, or more than memory holds, is a slip of the keyboard.
_RANGES = {"chains": (1, 1000), "warmup": (50, 1_000_000), "draws": (10, 1_000_000), "max_depth": (1, 20)}


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Parameters
    ----------
    chains
        Number of chains.
    warmup
        Draws per chain that adapt the sampler and are discarded.
    draws
        Draws per chain that are kept.
    target_accept
        Acceptance rate that the step size aims at; a higher one takes smaller steps, against divergences.
    max_depth
        A draw takes at most ``2**max_depth`` steps.
    cores
        Chains that run at the same time; None for all cores. The draws do not depend on it.
    """

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    target_accept: float = 0.8
    max_depth: int = 10
    cores: int | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise OptionError(
                    f"{name}={value!r}", allowed=f"a whole number from {least} to {most:,}", todo=f"change {name}"
                )
        if not isinstance(self.target_accept, int | float) or not 0.5 <= self.target_accept < 1.0:
            raise OptionError(
                f"target_accept={self.target_accept!r}", allowed="0.5 up to, not including, 1", todo="take 0.9, say"
            )
        if self.cores is not None and (type(self.cores) is not int or self.cores < 1):
            raise OptionError(f"cores={self.cores!r}", allowed="a positive whole number, or None", todo="change cores")


#: `method="laplace"` draws no more than these: they are nearly independent, and factor moments need no more.
MOST_DRAWS = 1000

#: What a model samples if it is not told otherwise.
DEFAULT_SAMPLING = Sampling()


def check_run(sampling: object, seed: object, progress: object) -> None:
    """Refuse settings of a run that are not what they should be, before minutes go into it.

    Raises
    ------
    OptionError
        If `sampling` is no `Sampling`, `seed` no whole number, or `progress` no function.
    """
    if not isinstance(sampling, Sampling):
        raise OptionError(
            f"sampling={sampling!r}",
            allowed="a Sampling object",
            todo="leave sampling= out, or give mixsem.Sampling(chains=4, warmup=1000, draws=1000)",
        )
    require_seed(seed)
    require_progress(progress)


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from the posterior of one block.

    Attributes
    ----------
    x
        Parameters on unconstrained scales, shape (chains, draws, P); `Posterior` says what they are.
    diverging
        Draws whose trajectory broke off, shape (chains, draws).
    depth
        Depth of the tree of each draw, shape (chains, draws).
    energy
        Energy of each draw, shape (chains, draws).
    step_size
        Step size after warm-up, shape (chains,).
    n_gradients
        Gradient evaluations, warm-up included.
    seconds
        Wall-clock seconds by stage: ``compile``, ``start``, ``sample``.
    """

    x: Array
    diverging: NDArray[np.bool_]
    depth: NDArray[np.int64]
    energy: Array
    step_size: Array
    n_gradients: int
    seconds: dict[str, float]

    @property
    def flat(self) -> Array:
        """All draws, chain after chain, shape (chains x draws, P)."""
        return self.x.reshape(-1, self.x.shape[-1])

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return self.x.shape[0]
