"""Posteriors of the two Bayesian measurement models by a Gibbs sampler that shares nothing with the package.

It works on rows, with factor scores and group means as parameters of their own (the package integrates both out), in
the models' own centred form, and moves variances by random-walk Metropolis steps. 32 chains run side by side, so that
the Monte-Carlo error follows from the differences between their means. Writes `bayes_gibbs.json`:

    python tests/reference/bayes_gibbs.py [kept iterations per chain, 60000 by default]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

CHAINS, WARMUP = 32, 3000
SIZES = (40, 45, 50, 55, 60, 40, 50, 60)
#: Priors of both models, in raw units. Gamma: shape and rate of a standard deviation.
PRIORS = {
    "loading": (0.8, 0.5),
    "sd": (2.0, 2.0),
    "difference_variance": 0.02,
    "log_variance": (-0.5, 1.0),
    "loading_spread": 0.3,
    "log_variance_spread": 0.5,
}


def simulate(seed: int = 7) -> list[np.ndarray]:
    """Rows of eight groups on four items, with means that must not matter."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in SIZES:
        loading = np.array([1.0, 0.8, 0.7, 0.9]) + np.array([0, 1, 1, 1]) * rng.normal(0, 0.15, 4)
        theta = np.exp(rng.normal(-0.7, 0.3, 4))
        phi = np.exp(rng.normal(0.0, 0.3))
        eta = rng.normal(0, np.sqrt(phi), (n, 1))
        rows.append(rng.normal(0, 1, 4) + eta * loading + rng.normal(size=(n, 4)) * np.sqrt(theta))
    return rows


class Scores:
    """Rows as an array padded to equal sizes, and the sums over rows that the other steps need."""

    def __init__(self, rows: list[np.ndarray]) -> None:
        self.n = np.array([len(x) for x in rows], dtype=float)
        self.X = np.zeros((len(rows), int(self.n.max()), rows[0].shape[1]))
        self.inside = np.zeros(self.X.shape[:2])
        for g, x in enumerate(rows):
            self.X[g, : len(x)], self.inside[g, : len(x)] = x, 1.0
        self.sum_x, self.sum_xx = self.X.sum(axis=1), (self.X**2).sum(axis=1)

    def draw(self, rng, nu, loading, theta, phi) -> None:
        """Draw factor scores given everything else."""
        w = loading / theta
        V = 1.0 / (1.0 / phi + (loading * w).sum(axis=-1))
        mean = np.einsum("gnp,cgp->cgn", self.X, w) - (nu * w).sum(axis=-1)[..., None]
        eta = mean * V[..., None] + np.sqrt(V)[..., None] * rng.standard_normal(mean.shape)
        eta *= self.inside
        self.sum_e, self.sum_ee = eta.sum(axis=-1)[..., None], (eta**2).sum(axis=-1)[..., None]
        self.sum_xe = np.einsum("gnp,cgn->cgp", self.X, eta)

    def draw_means(self, rng, loading, theta):
        """Draw group means of the items under a flat prior."""
        n = self.n[:, None]
        mean = (self.sum_x - loading * self.sum_e) / n
        return mean + np.sqrt(theta / n) * rng.standard_normal(mean.shape)

    def residual_squares(self, nu, loading):
        """Sums of squared residuals."""
        n = self.n[:, None]
        return (
            self.sum_xx
            + n * nu**2
            + loading**2 * self.sum_ee
            - 2 * (nu * self.sum_x + loading * self.sum_xe - nu * loading * self.sum_e)
        )

    def regression(self, nu, theta):
        """Precision, and precision times mean, of each loading by the rows alone."""
        return self.sum_ee / theta, (self.sum_xe - nu * self.sum_e) / theta


def metropolis(rng, x, log_density, step):
    """A random-walk step of every element of x, each with a density of its own."""
    proposal = x + step * rng.standard_normal(x.shape)
    accept = np.log(rng.random(x.shape)) < log_density(proposal) - log_density(x)
    return np.where(accept, proposal, x)


def normal_kernel(log_variance, squares, n):
    """Log density of n normal values with a sum of squares, by the log variance."""
    return -0.5 * n * log_variance - 0.5 * squares * np.exp(-log_variance)


def gamma_kernel(log_variance):
    """Log density of the log variance where its root has the gamma prior."""
    shape, rate = PRIORS["sd"]
    return shape * 0.5 * log_variance - rate * np.exp(0.5 * log_variance)


def free_variance(squares, n):
    """Log posterior of a log variance with the gamma prior, given a sum of n squares."""
    return lambda log_variance: normal_kernel(log_variance, squares, n) + gamma_kernel(log_variance)


def half_normal_kernel(log_sd, scale):
    """Log density of the log of a half-normal standard deviation."""
    return log_sd - 0.5 * np.exp(2 * log_sd) / scale**2


def run_approximate(rows, kept: int, seed: int):
    """Approximate invariance around the first group; free variances with gamma priors on their roots."""
    rng, data = np.random.default_rng(seed), Scores(rows)
    G, p = data.sum_x.shape
    v, (centre, spread) = PRIORS["difference_variance"], PRIORS["loading"]
    nu = np.broadcast_to(data.sum_x / data.n[:, None], (CHAINS, G, p)).copy()
    loading = np.ones((CHAINS, G, p))
    loading[..., 1:] = 0.8 + 0.1 * rng.standard_normal((CHAINS, G, p - 1))
    log_theta, log_phi = rng.normal(-0.7, 0.3, (CHAINS, G, p)), rng.normal(0, 0.3, (CHAINS, G))
    n = data.n[:, None]
    for t in range(WARMUP + kept):
        theta = np.exp(log_theta)
        data.draw(rng, nu, loading, theta, np.exp(log_phi))
        nu = data.draw_means(rng, loading, theta)
        precision, product = data.regression(nu, theta)
        precision[:, 1:] += 1 / v
        product[:, 1:] += loading[:, :1] / v
        precision[:, 0] += (G - 1) / v + 1 / spread**2
        product[:, 0] += loading[:, 1:].sum(axis=1) / v + centre / spread**2
        reference = product[:, 0] / precision[:, 0] + rng.standard_normal((CHAINS, p)) / np.sqrt(precision[:, 0])
        product[:, 1:] += (reference[:, None] - loading[:, :1]) / v
        new = product / precision + rng.standard_normal(product.shape) / np.sqrt(precision)
        new[:, 0] = reference
        loading[..., 1:] = new[..., 1:]
        squares = data.residual_squares(nu, loading)
        for _ in range(3):
            log_theta = metropolis(rng, log_theta, free_variance(squares, n), 0.45)
            log_phi = metropolis(rng, log_phi, free_variance(data.sum_ee[..., 0], data.n), 0.45)
        if t >= WARMUP:
            yield {"loading": loading[..., 1:], "theta": np.exp(log_theta), "phi": np.exp(log_phi)}


def run_multilevel(rows, kept: int, seed: int):
    """Loadings normal and variances log-normal over groups; each spread moved in centred and non-centred form."""
    rng, data = np.random.default_rng(seed), Scores(rows)
    G, p = data.sum_x.shape
    nu = np.broadcast_to(data.sum_x / data.n[:, None], (CHAINS, G, p)).copy()
    loading = np.ones((CHAINS, G, p))
    loading[..., 1:] = 0.8 + 0.1 * rng.standard_normal((CHAINS, G, p - 1))
    # One column per item, and the last one for the factor.
    log_variance = rng.normal(-0.5, 0.3, (CHAINS, G, p + 1))
    level, log_spread = np.full((CHAINS, p + 1), -0.5), np.full((CHAINS, p + 1), -1.0)
    gamma, log_sigma = np.full((CHAINS, p - 1), 0.8), np.full((CHAINS, p - 1), -2.0)
    n = data.n[:, None]
    for t in range(WARMUP + kept):
        theta = np.exp(log_variance[..., :p])
        data.draw(rng, nu, loading, theta, np.exp(log_variance[..., p]))
        nu = data.draw_means(rng, loading, theta)
        likelihood = tuple(part[..., 1:] for part in data.regression(nu, theta))
        loading[..., 1:], gamma, log_sigma = move_loadings(rng, loading[..., 1:], gamma, log_sigma, *likelihood)
        squares = np.concatenate([data.residual_squares(nu, loading), data.sum_ee], axis=-1)
        log_variance, level, log_spread = move_variances(rng, log_variance, level, log_spread, squares, n)
        if t >= WARMUP:
            yield {
                "loading": loading[..., 1:],
                "theta": np.exp(log_variance[..., :p]),
                "phi": np.exp(log_variance[..., p]),
                "gamma": gamma,
                "sigma": np.exp(log_sigma),
                "level": level,
                "spread": np.exp(log_spread),
            }


def move_loadings(rng, loading, gamma, log_sigma, precision, product):
    """Group loadings, their mean and their standard deviation, given their likelihood (normal)."""
    prior_mean, prior_sd = PRIORS["loading"]
    scale = PRIORS["loading_spread"]
    G = loading.shape[1]
    inverse = np.exp(-2 * log_sigma)[:, None]
    total = precision + inverse
    loading = (product + gamma[:, None] * inverse) / total + rng.standard_normal(loading.shape) / np.sqrt(total)
    total = G * inverse[:, 0] + 1 / prior_sd**2
    gamma = (loading.sum(axis=1) * inverse[:, 0] + prior_mean / prior_sd**2) / total
    gamma = gamma + rng.standard_normal(gamma.shape) / np.sqrt(total)
    squares = ((loading - gamma[:, None]) ** 2).sum(axis=1)
    for _ in range(2):
        log_sigma = metropolis(
            rng, log_sigma, lambda y: normal_kernel(2 * y, squares, G) + half_normal_kernel(y, scale), 0.5
        )
    z = (loading - gamma[:, None]) * np.exp(-log_sigma)[:, None]

    def by_sigma(y):
        shifted = gamma[:, None] + np.exp(y)[:, None] * z
        return (product * shifted - 0.5 * precision * shifted**2).sum(axis=1) + half_normal_kernel(y, scale)

    log_sigma = metropolis(rng, log_sigma, by_sigma, 0.5)
    deviation = np.exp(log_sigma)[:, None] * z
    total = precision.sum(axis=1) + 1 / prior_sd**2
    gamma = ((product - precision * deviation).sum(axis=1) + prior_mean / prior_sd**2) / total
    gamma = gamma + rng.standard_normal(gamma.shape) / np.sqrt(total)
    return gamma[:, None] + deviation, gamma, log_sigma


def move_variances(rng, log_variance, level, log_spread, squares, n):
    """Log variances of the groups, their mean and their standard deviation."""
    prior_mean, prior_sd = PRIORS["log_variance"]
    scale = PRIORS["log_variance_spread"]
    G = log_variance.shape[1]

    def by_group(y):
        return normal_kernel(y, squares, n) - 0.5 * ((y - level[:, None]) / np.exp(log_spread)[:, None]) ** 2

    for _ in range(2):
        log_variance = metropolis(rng, log_variance, by_group, 0.35)
    inverse = np.exp(-2 * log_spread)
    total = G * inverse + 1 / prior_sd**2
    level = (log_variance.sum(axis=1) * inverse + prior_mean / prior_sd**2) / total
    level = level + rng.standard_normal(level.shape) / np.sqrt(total)
    around = ((log_variance - level[:, None]) ** 2).sum(axis=1)
    for _ in range(2):
        log_spread = metropolis(
            rng, log_spread, lambda y: normal_kernel(2 * y, around, G) + half_normal_kernel(y, scale), 0.5
        )
    z = (log_variance - level[:, None]) * np.exp(-log_spread)[:, None]

    def by_spread(y):
        moved = level[:, None] + np.exp(y)[:, None] * z
        return normal_kernel(moved, squares, n).sum(axis=1) + half_normal_kernel(y, scale)

    def by_level(y):
        moved = y[:, None] + np.exp(log_spread)[:, None] * z
        return normal_kernel(moved, squares, n).sum(axis=1) - 0.5 * ((y - prior_mean) / prior_sd) ** 2

    log_spread = metropolis(rng, log_spread, by_spread, 0.5)
    level = metropolis(rng, level, by_level, 0.12)
    return level[:, None] + np.exp(log_spread)[:, None] * z, level, log_spread


def summarise(draws, kept: int) -> dict[str, dict[str, list]]:
    """Means and standard deviations over all draws, and their Monte-Carlo errors from the 32 chains."""
    first = {}
    second = {}
    for draw in draws:
        for name, x in draw.items():
            first[name] = first.get(name, 0.0) + x / kept
            second[name] = second.get(name, 0.0) + x**2 / kept
    summary = {}
    for name, mean in first.items():
        grand = mean.mean(axis=0)
        variance = second[name] - 2 * mean * grand + grand**2  # of every chain, around the mean of all
        sd = np.sqrt(variance.mean(axis=0))
        parts = {
            "mean": grand,
            "mean_error": mean.std(axis=0, ddof=1) / np.sqrt(CHAINS),
            "sd": sd,
            "sd_error": variance.std(axis=0, ddof=1) / np.sqrt(CHAINS) / (2 * sd),
        }
        summary[name] = {key: np.round(value, 7).tolist() for key, value in parts.items()}
    return summary


def main(kept: int = 60000) -> None:
    """Run both and write the file."""
    rows = simulate()
    content = {
        "what": "posterior means and SDs by Gibbs sampling, with Monte-Carlo errors; arrays are (group, item)",
        "chains": CHAINS,
        "kept": kept,
        "priors": PRIORS,
        "items": [f"x{j}" for j in range(1, 5)],
        "groups": [f"g{g}" for g in range(1, len(rows) + 1)],
        "n": [len(x) for x in rows],
        "covariances": [np.round(np.cov(x.T, bias=True), 12).tolist() for x in rows],
        "approximate": summarise(run_approximate(rows, kept, 11), kept),
        "multilevel": summarise(run_multilevel(rows, kept, 12), kept),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(*(int(x) for x in sys.argv[1:2]))
