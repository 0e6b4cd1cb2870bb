"""What a multilevel SEM returns: draws, regressions of every group, and their distribution over groups."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bayes.draws import Draws
from ..bayes.posterior import Posterior, Random
from ..data.moments import SampleMoments
from ..display import Displayed
from ..errors import ModelSyntaxError, Notice, OptionError, did_you_mean, enumerate_briefly
from ..kernels.plain_posterior import entry_values
from ..measurement.bayes_fit import BayesianBlock
from ..structural.path_model import PathModel
from ..syntax.sem import parse_parameter

if TYPE_CHECKING:
    import pandas as pd

    from .mlsem import MLSEM

__all__ = ["MultilevelFit", "interval"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MultilevelFit(Displayed):
    """A multilevel structural equation model fitted by Bayes.

    Attributes
    ----------
    specification
        The options it was fitted with.
    moments
        The groups' sizes, means and covariances of the model's items.
    path
        The structural model.
    block
        Parameters, posterior and draws of the whole model.
    notices
        Statistical trouble, by parameter and group.
    """

    specification: MLSEM
    moments: SampleMoments
    path: PathModel
    block: BayesianBlock
    notices: tuple[Notice, ...]

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.moments.groups

    @property
    def nobs(self) -> int:
        """People over all groups."""
        return self.moments.n_total

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors, in the order of the measurement model."""
        return self.block.factors

    @property
    def items(self) -> tuple[str, ...]:
        """Names of the items, in the order of the measurement model."""
        return self.block.items

    @property
    def blocks(self) -> tuple[BayesianBlock, ...]:
        """The one block, as measurement models have several."""
        return (self.block,)

    @property
    def posterior(self) -> Posterior:
        """The compiled posterior."""
        return self.block.posterior

    @property
    def draws(self) -> Draws:
        """The draws."""
        return self.block.draws

    @property
    def loglik(self) -> Array:
        """Log-likelihood of every draw and group, shape (chains x draws, G)."""
        return self.block.loglik

    @property
    def Lambda(self) -> Array:
        """Posterior means of the loadings, shape (G, p, Q)."""
        return self.block.matrices[0]

    @property
    def Theta(self) -> Array:
        """Posterior means of the unique (co)variances, shape (G, p, p)."""
        return self.block.matrices[1]

    @property
    def Phi(self) -> Array:
        """Factor covariances at the posterior means of (residual) covariances and regressions, shape (G, Q, Q)."""
        return self.block.matrices[2]

    @property
    def B(self) -> Array:
        """Posterior means of the regressions, row = outcome, column = predictor, shape (G, Q, Q)."""
        return self.block.matrices[3]

    @property
    def converged(self) -> bool:
        """Whether no notice speaks of sampling trouble."""
        return not any(notice.name == "SamplingWarning" for notice in self.notices)

    def regression_name(self, text: str) -> str:
        """Name of a regression as the model has it, ``"F3~F1"``, from any spelling of it.

        Raises
        ------
        OptionError
            If it is not a regression of the model.
        """
        try:
            name = "".join(parse_parameter(text))
        except ModelSyntaxError:
            name = ""
        if name not in self.path.names:
            listed = [spelled(n) for n in self.path.names]
            raise OptionError(
                f"{text!r} is not a regression of the model",
                allowed=enumerate_briefly(listed),
                todo=did_you_mean(text, listed) or "name it as it stands in the structural model",
            )
        return name

    def is_random(self, regression: str) -> bool:
        """Whether a regression is random over groups."""
        return isinstance(self.posterior.roles[self._entry(regression)], Random)

    def regression_draws(self, regression: str) -> Array:
        """Draws of one regression in every group, chain after chain, shape (chains x draws, G).

        Parameters
        ----------
        regression
            Such as ``"F3 ~ F1"``.
        """
        problem, e = self.posterior.problem, np.array([self._entry(regression)])
        # Everything of the problem that is listed by entry, for this entry only: the other values are not needed.
        by_entry = {name: getattr(problem, name)[e] for name in ("kind", "row", "column", "link", "scale", "s")}
        by_group = {name: getattr(problem, name)[:, e] for name in ("base", "deviation", "fixed")}
        return np.asarray(entry_values(problem._replace(**by_entry, **by_group), self.draws.flat)[..., 0])

    def hyper_draws(self, regression: str) -> tuple[Array, Array]:
        """Draws of mu and tau of a regression, each of shape (chains x draws,); tau is 0 where it is not random."""
        problem, e, x = self.posterior.problem, self._entry(regression), self.draws.flat
        base, scale = int(problem.base[0, e]), int(problem.scale[e])
        mu = x[:, base] if base >= 0 else np.full(len(x), problem.fixed[0, e])
        return mu, np.exp(x[:, scale]) if scale >= 0 else np.zeros(len(x))

    @cached_property
    def regressions(self) -> pd.DataFrame:
        """Regressions of every group: posterior mean, SD and 95% interval.

        Columns ``group``, ``n``, ``outcome``, ``predictor``, ``estimate``, ``sd``, ``lower``, ``upper``; one row per
        regression and group.
        """
        import pandas as pd

        frames = []
        for name in self.path.names:
            draws = self.regression_draws(name)
            lower, upper = interval(draws)
            outcome, predictor = name.split("~")
            frame = {
                "group": pd.Series(list(self.groups), dtype=None),
                "n": self.moments.n,
                "outcome": outcome,
                "predictor": predictor,
                "estimate": draws.mean(axis=0),
                "sd": draws.std(axis=0, ddof=1),
                "lower": lower,
                "upper": upper,
            }
            frames.append(pd.DataFrame(frame))
        return pd.concat(frames, ignore_index=True)

    @cached_property
    def hyper(self) -> pd.DataFrame:
        """Distribution of each regression over groups: mean mu and standard deviation tau, with 95% intervals.

        Columns ``outcome``, ``predictor``, ``random``, ``mean``, ``mean_sd``, ``mean_lower``, ``mean_upper``, ``tau``,
        ``tau_sd``, ``tau_lower``, ``tau_upper``; the last four are missing where the regression is equal over groups.
        A standard deviation is positive: that the interval of tau leaves out 0 does not say that groups differ.
        """
        import pandas as pd

        rows = []
        for name in self.path.names:
            outcome, predictor = name.split("~")
            mu, tau = self.hyper_draws(name)
            row: dict[str, object] = {"outcome": outcome, "predictor": predictor, "random": self.is_random(name)}
            row |= _described("mean", mu)
            if self.is_random(name):
                row |= _described("tau", tau)
            rows.append(row)
        columns = [f"{what}{part}" for what in ("mean", "tau") for part in ("", "_sd", "_lower", "_upper")]
        return pd.DataFrame(rows).reindex(columns=["outcome", "predictor", "random", *columns])

    def to_arviz(self) -> Any:
        """Return the draws as an ArviZ ``InferenceData`` object; see `mixsem.bayes.arviz.to_arviz`."""
        from ..bayes.arviz import to_arviz

        return to_arviz(self.blocks, self.groups)

    def _entry(self, regression: str) -> int:
        """Index of a regression among the entries of the model matrices."""
        return self.posterior.model.entries.index(self.regression_name(regression))


def interval(draws: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Equal-tailed interval of draws along the first axis."""
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return np.asarray(lower), np.asarray(upper)


def spelled(name: str) -> str:
    """A regression's name with blanks, ``"F3 ~ F1"``."""
    return name.replace("~", " ~ ")


def _described(what: str, draws: Array) -> dict[str, object]:
    """Mean, SD and interval of one parameter, under its name."""
    lower, upper = interval(draws)
    return {
        what: float(draws.mean()),
        f"{what}_sd": float(draws.std(ddof=1)),
        f"{what}_lower": float(lower),
        f"{what}_upper": float(upper),
    }
