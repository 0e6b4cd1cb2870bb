"""Claim: posteriors of both Bayesian measurement models are calibrated (simulation-based calibration).

Parameters are drawn from the prior and covariances from their Wishart distribution by code of its own, the model is
fitted, and the rank of every true value among nearly independent posterior draws is noted. If, and only if, prior,
likelihood and sampler belong together, all ranks are equally frequent (Talts et al., 2018, arXiv:1804.06788).

    python benchmarks/sbc.py [--replications 300] [--design NAME] [--planted] [--plot FOLDER] [--seed 1]
                             [--method nuts|laplace]

`--planted` makes deliberate mistakes, to show that they are found.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

import mixsem as mx
from common import report
from mixsem.bayes import Gamma, HalfNormal, Normal, Priors
from mixsem.data import SampleMoments

ITEMS = ("x1", "x2", "x3", "x4")
MODEL = "F =~ x1 + x2 + x3 + x4"
#: Informative, so that what is drawn from them looks like data.
PRIORS = Priors(
    loading=Normal(0.8, 0.3),
    residual_sd=Gamma(4.0, 5.0),
    factor_sd=Gamma(4.0, 5.0),
    log_variance=Normal(-0.5, 0.5),
    loading_spread=HalfNormal(0.3),
    log_variance_spread=HalfNormal(0.3),
    units="raw",
)
SAMPLING = mx.Sampling(chains=2, warmup=500, draws=1000, cores=1)
#: A hundred draws far apart, less one: 99 draws have 100 possible ranks, put into 20 classes.
N_DRAWS, CLASSES = 99, 20
#: Claims hold if no p-value is below this after Bonferroni's correction.
LEVEL = 0.01
DIFFERENCE_VARIANCE = 0.05


@dataclass(frozen=True)
class Truth:
    """Parameters drawn from the prior: of every group, and of their distribution over groups."""

    loading: np.ndarray
    theta: np.ndarray
    phi: np.ndarray
    hyper: dict[str, float]


@dataclass(frozen=True)
class Design:
    """One model, the size of its data, and its prior as a simulator.

    `wrong` is for deliberate mistakes: from the groups' sizes to those the fit is told.
    """

    name: str
    n_groups: int
    group_size: int
    draw: Callable[[int, np.random.Generator], Truth]
    model: mx.MGBCFA | mx.MLCFA
    watched: tuple[str, ...]
    wrong: Callable[[int], int] | None = None


def draw_approximate(n_groups: int, rng: np.random.Generator, symmetric: bool = False) -> Truth:
    """The first group's loadings, the others around them; or all around a common value, with half the variance."""
    mean = rng.normal(0.8, 0.3, size=3)
    sd = np.sqrt(DIFFERENCE_VARIANCE / 2 if symmetric else DIFFERENCE_VARIANCE)
    loading = np.ones((n_groups, 4))
    loading[:, 1:] = rng.normal(mean, sd, size=(n_groups, 3))
    if not symmetric:
        loading[0, 1:] = mean
    sds = rng.gamma(4.0, 1.0 / 5.0, size=(n_groups, 5))
    return Truth(loading, sds[:, :4] ** 2, sds[:, 4] ** 2, {"mean F=~x2": mean[0]})


def draw_symmetric(n_groups: int, rng: np.random.Generator) -> Truth:
    return draw_approximate(n_groups, rng, symmetric=True)


def draw_multilevel(n_groups: int, rng: np.random.Generator) -> Truth:
    """Normal loadings, log-normal variances."""
    gamma, sigma = rng.normal(0.8, 0.3, size=3), np.abs(rng.normal(0.0, 0.3, size=3))
    level, spread = rng.normal(-0.5, 0.5, size=5), np.abs(rng.normal(0.0, 0.3, size=5))
    loading = np.ones((n_groups, 4))
    loading[:, 1:] = rng.normal(gamma, sigma, size=(n_groups, 3))
    variances = np.exp(rng.normal(level, spread, size=(n_groups, 5)))
    hyper = {
        "mean F=~x2": gamma[0],
        "mean F=~x3": gamma[1],
        "sd F=~x2": np.log(sigma[0]),
        "mean x1~~x1": level[0],
        "sd x2~~x2": np.log(spread[1]),
        "mean F~~F": level[4],
        "sd F~~F": np.log(spread[4]),
    }
    return Truth(loading, variances[:, :4], variances[:, 4], hyper)


BSEM_WATCHED = ("mean F=~x2", "F=~x2 [3]", "F=~x3 [2]", "F=~x4 [5]", "x1~~x1 [1]", "x2~~x2 [3]", "F~~F [1]", "F~~F [4]")
ML_WATCHED = ("F=~x2 [1]", "F=~x4 [7]", "x3~~x3 [4]", "F~~F [2]")
BSEM = mx.MGBCFA(MODEL, prior_variance=DIFFERENCE_VARIANCE, priors=PRIORS, sampling=SAMPLING)
DESIGNS = {
    design.name: design
    for design in (
        Design("MGBCFA", 5, 40, draw_approximate, BSEM, BSEM_WATCHED),
        Design("MGBCFA symmetric", 5, 40, draw_symmetric, replace(BSEM, symmetric=True), BSEM_WATCHED),
        Design("MLCFA", 10, 40, draw_multilevel, mx.MLCFA(MODEL, priors=PRIORS, sampling=SAMPLING), ML_WATCHED),
    )
}
PLANTED = {
    "means ignored in groups of 8": replace(DESIGNS["MGBCFA"], group_size=8, model=replace(BSEM, means="ignore")),
    "every person counted twice": replace(DESIGNS["MGBCFA"], wrong=lambda n: 2 * n - 1),
    "variance of differences halved": replace(
        DESIGNS["MGBCFA"], model=replace(BSEM, prior_variance=DIFFERENCE_VARIANCE / 2)
    ),
}


def entry_values(design: Design, truth: Truth) -> dict[str, float]:
    """Watched values of the truth, under the names of the package."""
    values = dict(truth.hyper)
    for name in design.watched:
        if name in values:
            continue
        entry, group = name.split(" [")
        g = int(group[:-1]) - 1
        column = int(entry[-1]) - 1 if entry != "F~~F" else 0
        source = truth.loading if "=~" in entry else truth.phi[:, None] if entry == "F~~F" else truth.theta
        values[name] = source[g, column]
    return values


def over_all(loading: np.ndarray, theta: np.ndarray, phi: np.ndarray, S: np.ndarray, nu: int) -> dict[str, np.ndarray]:
    """Quantities of all parameters together, which find what each of them shows too little of; arrays (..., G, p).

    Log density of the data; mean log variance; log of the mean square of loading differences to the first group.
    """
    Sigma = phi[..., None, None] * loading[..., :, None] * loading[..., None, :] + theta[..., None] * np.eye(4)
    trace = np.trace(np.linalg.solve(Sigma, np.broadcast_to(S, Sigma.shape)), axis1=-2, axis2=-1)
    variances = np.concatenate([theta, phi[..., None]], axis=-1)
    differences = (loading - loading[..., :1, :])[..., 1:, 1:]
    return {
        "log-likelihood": (-0.5 * nu * (np.linalg.slogdet(Sigma)[1] + trace)).sum(axis=-1),
        "mean log variance": np.log(variances).mean(axis=(-2, -1)),
        "differences": np.log((differences**2).mean(axis=(-2, -1))),
    }


def replicate(design: Design, seed: np.random.SeedSequence) -> dict[str, int]:
    """Draw a truth and data, fit, and rank the truth among the draws."""
    rng = np.random.default_rng(seed)
    truth = design.draw(design.n_groups, rng)
    nu = design.group_size - 1
    Sigma = truth.phi[:, None, None] * truth.loading[:, :, None] * truth.loading[:, None] + truth.theta[
        :, None
    ] * np.eye(4)
    S = np.array([stats.wishart.rvs(nu, matrix, random_state=rng) for matrix in Sigma]) / nu
    told = design.wrong(design.group_size) if design.wrong else design.group_size
    moments = SampleMoments.from_covariances(
        {g + 1: matrix for g, matrix in enumerate(S)}, n=told, items=ITEMS, divisor="n-1"
    )
    block = design.model.fit(moments, seed=int(rng.integers(2**31))).blocks[0]
    x = block.draws.flat[:: len(block.draws.flat) // (N_DRAWS + 1)][:N_DRAWS]
    values, entries, names = block.posterior.values(x), block.posterior.model.entries, block.posterior.names

    def columns(kind: str) -> np.ndarray:
        return values[..., [e for e, entry in enumerate(entries) if kind in entry]]

    drawn = {name: x[:, names.index(name)] for name in truth.hyper}
    for name in design.watched:
        if name not in drawn:
            entry, group = name.split(" [")
            drawn[name] = values[:, int(group[:-1]) - 1, entries.index(entry)]
    true = entry_values(design, truth)
    phi = columns("F~~F")[..., 0]
    drawn |= over_all(columns("=~"), columns("~~x"), phi, S, nu)
    true |= {name: float(q) for name, q in over_all(truth.loading, truth.theta, truth.phi, S, nu).items()}
    return {name: int((drawn[name] < true[name]).sum()) for name in drawn}


def run(design: Design, n_replications: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Ranks of every watched quantity over replications."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chains are short on purpose
        ranks = [replicate(design, child) for child in np.random.SeedSequence(seed).spawn(n_replications)]
    return {name: np.array([rank[name] for rank in ranks]) for name in ranks[0]}


def p_values(ranks: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Chi-square test of classes of ranks; Kolmogorov's of their distribution function, ranks made continuous.

    Up to 20 classes, but fewer if less than 10 ranks were expected in each.
    """
    classes = next(k for k in (CLASSES, 10, 5, 2) if ranks.size >= 10 * k or k == 2)
    counts = np.bincount(ranks * classes // (N_DRAWS + 1), minlength=classes)
    continuous = (ranks + rng.random(ranks.size)) / (N_DRAWS + 1)
    return float(stats.chisquare(counts).pvalue), float(stats.kstest(continuous, "uniform").pvalue)


def judge(ranks: dict[str, np.ndarray]) -> tuple[dict[str, tuple[float, float]], float]:
    """p-values by quantity, and the smallest of all after Bonferroni's correction."""
    rng = np.random.default_rng(0)
    table = {name: p_values(r, rng) for name, r in ranks.items()}
    return table, min(1.0, 2 * len(table) * min(min(pair) for pair in table.values()))


def draw_histograms(ranks: dict[str, np.ndarray], title: str, folder: Path) -> None:
    """Save the histograms of the ranks, with the band in which 99 percent of all bars belong."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = 4
    rows = -(-len(ranks) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 1.9 * rows), squeeze=False, sharey=True)
    for ax in axes.flat[len(ranks) :]:
        ax.set_visible(False)
    for ax, (name, r) in zip(axes.flat, ranks.items(), strict=False):
        low, high = stats.binom(r.size, 1 / CLASSES).ppf([0.005, 0.995])
        ax.axhspan(low, high, color="0.9")
        ax.hist(r, bins=np.arange(0, N_DRAWS + 2, (N_DRAWS + 1) // CLASSES), color="tab:blue")
        ax.set_title(name, fontsize=9)
    figure.suptitle(f"{title}: ranks of the truth")
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"sbc-{title.lower().replace(' ', '-')}.png", dpi=120)
    plt.close(figure)


def main(
    n_replications: int = 300,
    names: list[str] | None = None,
    planted: bool = False,
    plot: str = "",
    seed: int = 1,
    method: str = "nuts",
) -> bool:
    """Run the designs; planted mistakes must be found."""
    held = True
    for name, design in (PLANTED if planted else DESIGNS).items():
        if names and name not in names:
            continue
        start = time.perf_counter()
        ranks = run(replace(design, model=replace(design.model, method=method)), n_replications, seed)
        table, smallest = judge(ranks)
        for quantity, (chi_square, kolmogorov) in table.items():
            print(f"  {quantity:17} chi-square p = {chi_square:.4f}   Kolmogorov p = {kolmogorov:.4f}", flush=True)
        if plot:
            draw_histograms(ranks, name, Path(plot))
        held &= report(
            f"calibration: {name}" + (", fast method" if method == "laplace" else ""),
            passed=(smallest < LEVEL) if planted else (smallest >= LEVEL),
            replications=n_replications,
            quantities=len(table),
            smallest_p_corrected=float(f"{smallest:.3g}"),
            seconds=round(time.perf_counter() - start, 1),
        )
    return held


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulation-based calibration of the Bayesian measurement models.")
    parser.add_argument("--replications", type=int, default=300)
    parser.add_argument("--design", action="append", help="one of the designs; may be repeated")
    parser.add_argument("--planted", action="store_true", help="make deliberate mistakes, which must be found")
    parser.add_argument("--plot", default="", help="folder for histograms of the ranks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--method", default="nuts", choices=("nuts", "laplace"), help="how draws are made")
    chosen = parser.parse_args()
    held = main(chosen.replications, chosen.design, chosen.planted, chosen.plot, chosen.seed, chosen.method)
    sys.exit(not held)
