"""Claim: in four cells of each paper's design, clusters and regressions are recovered as the papers report.

python benchmarks/bayes_recovery.py [number of data sets]

The papers print averages per level of each factor of the design, not per cell. As a yardstick for a cell we add up the
published main effects: overall mean plus the deviations of its levels. That ignores interactions, which are large where
recovery is perfect or hopeless, so it is shown beside our numbers and does not decide; what decides is that no cell
falls short of its yardstick by more than .15 in ARI and three standard errors.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

import numpy as np

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, report
from mixsem.simulate import Population, adjusted_rand_index, draw_moments, draw_truth, match_labels

#: Published mean ARI and RMSE (averaged over the four regressions) per level; "all" is the overall mean.
MIXMG_BSEM = {
    "all": (0.644, 0.0670),
    "G": {24: (0.628, 0.0748), 48: (0.660, 0.0588)},
    "N": {50: (0.402, 0.0983), 100: (0.663, 0.0593), 200: (0.865, 0.0428)},
    "K": {2: (0.719, 0.0498), 4: (0.569, 0.0840)},
    "beta": {0.2: (0.400, 0.0803), 0.3: (0.685, 0.0650), 0.4: (0.849, 0.0555)},
    "reliability": {"high": (0.682, 0.0598), "low": (0.606, 0.0738)},
    "v": {0.001: (0.651, 0.0658), 0.005: (0.647, 0.0660), 0.01: (0.649, 0.0663), 0.05: (0.638, 0.0680)},
    "crossloading": {0.0: (0.654, 0.0535), 0.2: (0.644, 0.0648), 0.4: (0.634, 0.0820)},
}
MIXML_SEM = {
    "all": (0.745, 0.0328),
    "G": {48: (0.735, 0.0375), 96: (0.755, 0.0283)},
    "K": {2: (0.805, 0.0220), 4: (0.685, 0.0438)},
    "large": {100: (0.714, 0.0373), 200: (0.776, 0.0285)},
    "small": {25: (0.698, 0.0388), 50: (0.791, 0.0268)},
    "share": {0.0: (0.899, 0.0175), 0.25: (0.839, 0.0195), 0.5: (0.779, 0.0245), 1.0: (0.512, 0.0678)},
    "beta": {0.2: (0.571, 0.0420), 0.3: (0.776, 0.0303), 0.4: (0.887, 0.0255)},
    "reliability": {"high": (0.760, 0.0295), "low": (0.729, 0.0363)},
    "sample": {"fixed": (0.916, 0.0175), "random": (0.573, 0.0483)},
}
SAMPLING = mx.Sampling(chains=2, warmup=500, draws=1000)
NON_INVARIANT = [5 * q + j for q in range(4) for j in (2, 3)]
RANDOM = (
    *(f"F{(j - 1) // 5 + 1} =~ V{j}" for j in NON_INVARIANT),
    *(f"V{j} ~~ V{j}" for j in NON_INVARIANT),
    "factor variances",
)
"""What the MixML-SEM population lets vary; the paper specifies it correctly."""


@dataclass(frozen=True)
class Cell:
    """One cell of a design: its levels, as the tables name them."""

    levels: dict[str, object]
    published: dict[str, object]

    def yardstick(self) -> tuple[float, float]:
        """Published ARI and RMSE, main effects added up."""
        mean = np.array(self.published["all"])
        effects = [np.array(self.published[name][level]) - mean for name, level in self.levels.items()]
        ari, rmse = mean + np.sum(effects, axis=0)
        return float(np.clip(ari, 0.0, 1.0)), float(max(rmse, 0.0))


MIXMG_CELLS = [
    dict(G=24, N=50, K=2, beta=0.3, reliability="high", v=0.01, crossloading=0.0),
    dict(G=48, N=100, K=4, beta=0.3, reliability="high", v=0.01, crossloading=0.0),
    dict(G=48, N=200, K=4, beta=0.4, reliability="low", v=0.05, crossloading=0.0),
    dict(G=24, N=200, K=2, beta=0.2, reliability="high", v=0.001, crossloading=0.4),
]
MIXML_CELLS = [
    dict(G=48, K=2, large=200, small=50, share=0.5, beta=0.4, reliability="high", sample="random"),
    dict(G=96, K=4, large=200, small=25, share=0.25, beta=0.3, reliability="high", sample="random"),
    dict(G=48, K=4, large=100, small=25, share=0.5, beta=0.3, reliability="high", sample="fixed"),
    dict(G=48, K=2, large=100, small=50, share=1.0, beta=0.4, reliability="low", sample="random"),
]


def recover_mixmg(levels: dict[str, object], seed: int) -> tuple[float, float]:
    """ARI and RMSE of MixMG-BSEM with the true prior variance on one data set."""
    population = Population(
        n_groups=levels["G"],
        group_size=levels["N"],
        n_clusters=levels["K"],
        beta=levels["beta"],
        reliability=levels["reliability"],
        loading_variance=levels["v"],
        cross_loading=levels["crossloading"],
    )
    truth = draw_truth(population, seed=seed)
    step1 = mx.MGBCFA(MEASUREMENT, prior_variance=levels["v"], sampling=SAMPLING)
    return score(truth, step1.fit(draw_moments(truth, seed=seed), seed=seed), seed)


def recover_mixml(levels: dict[str, object], seed: int) -> tuple[float, float]:
    """ARI and RMSE of MixML-SEM with the random effects the population has on one data set."""
    population = Population(
        n_groups=levels["G"],
        group_size=levels["large"],
        small_size=levels["small"],
        small_proportion=levels["share"],
        n_clusters=levels["K"],
        beta=levels["beta"],
        reliability=levels["reliability"],
        kind="multilevel",
    )
    truth = draw_truth(population, seed=seed)
    step1 = mx.MLCFA(MEASUREMENT, random=RANDOM, sampling=SAMPLING)
    return score(truth, step1.fit(draw_moments(truth, seed=seed, sample=levels["sample"]), seed=seed), seed)


def score(truth: object, step1: object, seed: int) -> tuple[float, float]:
    """Cluster the groups with the true number of clusters and 50 starts, as the papers do."""
    fit = mx.StructuralMixture(STRUCTURAL, k=len(truth.B), n_starts=50).fit(mx.factor_moments(step1), seed=seed)
    found = fit.clusters - 1
    ordered = fit.B[np.argsort(match_labels(found, truth.clusters))]
    error = (ordered - truth.B)[:, fit.path.outcome, fit.path.predictor]
    return adjusted_rand_index(truth.clusters, found), float(np.sqrt((error**2).mean(axis=0)).mean())


def main(n_data_sets: int = 10) -> bool:
    """Run all cells."""
    warnings.simplefilter("ignore")
    held = True
    for method, cells, published, recover in (
        ("MixMG-BSEM", MIXMG_CELLS, MIXMG_BSEM, recover_mixmg),
        ("MixML-SEM", MIXML_CELLS, MIXML_SEM, recover_mixml),
    ):
        for levels in cells:
            results = np.array([recover(levels, seed) for seed in range(1, n_data_sets + 1)])
            ari, rmse = results.mean(axis=0)
            error = results[:, 0].std(ddof=1) / np.sqrt(n_data_sets)
            expected_ari, expected_rmse = Cell(levels, published).yardstick()
            held &= report(
                f"{method}: {', '.join(f'{name} = {level}' for name, level in levels.items())}",
                passed=bool(ari > expected_ari - 0.15 - 3 * error),
                data_sets=n_data_sets,
                adjusted_rand_index=round(float(ari), 3),
                standard_error=round(float(error), 3),
                published_main_effects=round(expected_ari, 3),
                rmse=round(float(rmse), 4),
                rmse_published_main_effects=round(expected_rmse, 4),
            )
    return held


if __name__ == "__main__":
    sys.exit(not main(*(int(x) for x in sys.argv[1:2])))
