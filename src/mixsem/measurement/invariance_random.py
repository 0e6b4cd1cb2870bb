"""Which loadings to make random: the stepwise procedure of MixML-SEM."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from ..bayes.draws import DEFAULT_SAMPLING, Sampling, check_run
from ..bayes.priors import Priors
from ..data.intake import Data, as_moments
from ..errors import MixsemWarning, OptionError, did_you_mean, notify
from ..options import Names, as_names
from ..syntax.blocks import Blocks
from ..syntax.sem import parse_model
from .approximation_checks import approximation_notices
from .bayes_blocks import Progress
from .bayes_fit import BayesianBlock, BayesianFit
from .bayes_terms import block_deviance
from .invariance_steps import TIED, RandomEffectSteps, RandomStep
from .mlcfa import MLCFA
from .random_effects import RANDOM_KINDS
from .sampling_checks import sampling_notices

__all__ = ["random_effect_steps"]

ALWAYS = ("residuals", "factor variances", "factor correlations")
#: Parameters of these kinds are put to the test.
CANDIDATES = ("loadings", "residuals")


def random_effect_steps(
    measurement: str,
    data: Data,
    group: str | None = None,
    *,
    candidates: Names = ("loadings",),
    always: Names = ALWAYS,
    blocks: Blocks = "factor",
    priors: Priors | str = "default",
    means: str = "free",
    method: str = "laplace",
    sampling: Sampling = DEFAULT_SAMPLING,
    missing: str = "listwise",
    seed: int | None = None,
    progress: Progress | None = None,
) -> RandomEffectSteps:
    """Find out which parameters differ between groups: make them random one after the other and compare DIC.

    All candidates are random at first. They are put in order of their variance over groups, the largest first; then
    models with none of them random, the first, the first two, and so on, are compared by DIC. Every measurement block
    has its own order and its own choice.

    Parameters
    ----------
    measurement, data, group, blocks, priors, means, method, sampling, missing, seed, progress
        As of `MLCFA` and its ``fit``; ``method="laplace"`` is the default here.
    candidates
        ``"loadings"``, ``"residuals"`` (unique variances, which vary on the log scale), or both; a kind that is among
        `always` as well is taken from there.
    always
        Kinds that are random in every model.

    Returns
    -------
    RandomEffectSteps
        ``.random`` goes into ``MLCFA(random=...)``.

    Raises
    ------
    OptionError
        If an option is not what is allowed, or no parameter is a candidate.

    Examples
    --------
    >>> import mixsem as mx
    >>> population = mx.simulate.Population(n_groups=20, group_size=80, kind="multilevel")
    >>> moments = mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=1), seed=1)
    >>> steps = mx.random_effect_steps("F =~ V1 + V2 + V3 + V4", moments, seed=1)
    >>> [step.added for step in steps.steps[:3]]  # items 2 and 3 are not invariant in this population
    ['', 'F=~V3', 'F=~V2']

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing structural relations
    across groups in presence of measurement non-invariance. Frontiers in Psychology 16 (the empirical application).
    """
    check_run(sampling, seed, progress)
    tested, fixed = _kinds(candidates, always)
    moments = as_moments(data, parse_model(measurement).indicators, group, missing=missing)

    def fit(random: Sequence[str], step: int, total: int) -> BayesianFit:
        model = MLCFA(
            measurement,
            random=(*random, *fixed),
            blocks=blocks,
            priors=priors,
            means=means,
            method=method,
            sampling=sampling,
            missing=moments.missing,
        )
        with warnings.catch_warnings():  # the steps keep what is wrong with the draws; it is not told model by model
            warnings.simplefilter("ignore", MixsemWarning)
            return model.fit(moments, seed=seed, progress=_part_of(progress, step, total))

    notify(moments.notices)
    full = fit(tested, 0, _most(measurement) + 1)
    orders = [_order(block, tested) for block in full.blocks]
    most = max(len(order) for order in orders)
    if most == 0:
        raise OptionError(
            f"candidates={tested!r} names no parameter that could differ",
            allowed="loadings without label or fixed value",
        )
    found: list[list[RandomStep]] = [[] for _ in full.blocks]
    for size in range(most + 1):
        random = [name for order in orders for name, _ in order[:size]]
        fitted = full if size == most else fit(random, size + 1, most + 1)
        for index, (block, order) in enumerate(zip(fitted.blocks, orders, strict=True)):
            if size <= len(order):
                found[index].append(_step(block, order, size, fitted, method))
    return RandomEffectSteps(tuple(step for steps in found for step in _compared(steps)), fixed)


def _kinds(candidates: Names, always: Names) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tested, fixed = as_names(candidates, "candidates"), as_names(always, "always")
    for option, given, allowed in (("candidates", tested, CANDIDATES), ("always", fixed, RANDOM_KINDS)):
        for kind in given:
            if kind not in allowed:
                raise OptionError(
                    f"{option}= names {kind!r}", allowed=", ".join(map(repr, allowed)), todo=did_you_mean(kind, allowed)
                )
    if not tested:
        raise OptionError("candidates=()", allowed=", ".join(map(repr, CANDIDATES)))
    return tested, tuple(kind for kind in fixed if kind not in tested)


def _order(block: BayesianBlock, tested: tuple[str, ...]) -> list[tuple[str, float]]:
    """Candidates of a block with their standard deviation over groups, the largest first."""
    posterior, flat = block.posterior, block.draws.flat
    rows = {row.name: row for row in block.table.rows}
    found = []
    for i, what in enumerate(posterior.what):
        name = posterior.model.entries[int(posterior.entry[i])]
        row = rows[name]
        kind = "loadings" if row.op == "=~" else "residuals" if row.lhs == row.rhs and row.lhs in block.items else ""
        if what == "sd" and kind in tested:
            found.append((name, float(np.exp(flat[:, i]).mean())))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _step(
    block: BayesianBlock, order: Sequence[tuple[str, float]], size: int, fit: BayesianFit, method: str
) -> RandomStep:
    deviance, error = block_deviance(block)
    checks = sampling_notices if method == "nuts" else approximation_notices
    return RandomStep(
        block=", ".join(block.factors),
        added=order[size - 1][0] if size else "",
        spread=order[size - 1][1] if size else math.nan,
        random=tuple(name for name, _ in order[:size]),
        dic=deviance.dic,
        dic_error=error,
        p_d=deviance.p_d,
        difference=math.nan,
        tied=False,
        chosen=False,
        trouble=bool(checks(block, fit.groups)),
    )


def _compared(steps: Sequence[RandomStep]) -> list[RandomStep]:
    """The steps of a block with their differences from the smallest DIC."""
    from dataclasses import replace

    best = min(steps, key=lambda step: step.dic)
    compared = []
    for step in steps:
        difference = step.dic - best.dic
        error = math.hypot(step.dic_error, best.dic_error)
        compared.append(
            replace(
                step, difference=difference, chosen=step is best, tied=step is not best and difference < TIED * error
            )
        )
    return compared


def _most(measurement: str) -> int:
    """Models at most, for the progress bar: one per item of the longest factor."""
    syntax = parse_model(measurement)
    return max(sum(t.op == "=~" and t.lhs == f for t in syntax.terms) for f in syntax.factors)


def _part_of(progress: Progress | None, step: int, steps: int) -> Progress | None:
    """Progress of one model out of several."""
    if progress is None:
        return None

    def report(stage: str, done: int, total: int) -> None:
        progress(stage, step * total + done, steps * total)

    return report
