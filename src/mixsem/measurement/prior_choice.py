"""Choosing the prior variance of loading differences before the model is fitted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ..bayes.draws import DEFAULT_SAMPLING, Sampling
from ..bayes.priors import Priors
from ..data.intake import Data
from ..errors import OptionError
from ..syntax.blocks import Blocks
from .bayes_blocks import Progress
from .mgbcfa import MGBCFA
from .prior_grid import PriorVarianceChoice

__all__ = ["choose_prior_variance"]


def choose_prior_variance(
    measurement: str,
    data: Data,
    group: str | None = None,
    *,
    grid: Sequence[float | None] = (0.001, 0.005, 0.01, 0.05, 0.1),
    symmetric: bool = False,
    reference: Hashable | None = None,
    blocks: Blocks = "factor",
    priors: Priors | str = "blavaan",
    means: str = "free",
    method: str = "nuts",
    sampling: Sampling = DEFAULT_SAMPLING,
    missing: str = "listwise",
    seed: int | None = None,
    progress: Progress | None = None,
) -> PriorVarianceChoice:
    """Compare prior variances of loading differences by DIC, for every measurement block.

    Draws are not kept; ``MGBCFA(prior_variance=grid)`` compares in the same way and keeps the best fit. DIC is an
    average over draws and has an error: prior variances within two standard errors of the best are flagged as tied.

    Parameters
    ----------
    measurement, data, group, symmetric, reference, blocks, priors, means, method, sampling, missing, seed, progress
        As of `MGBCFA` and its ``fit``.
    grid
        Prior variances to compare; 0 for equal loadings, None for no constraint.

    Returns
    -------
    PriorVarianceChoice
        ``chosen`` is a mapping from factors to variances for ``MGBCFA(prior_variance=...)``; ``table`` shows DIC, p_D
        and the posterior predictive p-value of all.

    Raises
    ------
    OptionError
        If the grid is empty, or a variance is negative or given twice.

    Examples
    --------
    >>> import warnings
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> short = mx.Sampling(chains=2, warmup=200, draws=200)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", mx.errors.MixsemWarning)
    ...     choice = mx.choose_prior_variance(
    ...         "textual =~ x4 + x5 + x6", data, "school", grid=(0.01, 0.1), sampling=short, seed=2
    ...     )
    >>> list(choice.chosen)
    ['textual']

    References
    ----------
    Muthén & Asparouhov (2012), Bayesian structural equation modeling. Psychological Methods 17, 313-335.
    """
    if not isinstance(grid, list | tuple):
        raise OptionError(
            f"grid={grid!r}", allowed="several prior variances, such as (0.001, 0.01, 0.1)", todo="give a tuple or list"
        )
    model = MGBCFA(
        measurement,
        prior_variance=tuple(grid),
        symmetric=symmetric,
        reference=reference,
        blocks=blocks,
        priors=priors,
        means=means,
        method=method,
        sampling=sampling,
        missing=missing,
    )
    choice = model.fit(data, group, seed=seed, progress=progress).prior_choice
    assert choice is not None
    return choice
