"""One small fit of every kind that users get: the table that pickling and saving are tested with.

Each is built once, when it is first asked for.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

import mixsem as mx

MEASUREMENT = "F1 =~ x1 + x2 + x3 + x4; F2 =~ x5 + x6 + x7 + x8; F3 =~ x9 + x10 + x11 + x12"
STRUCTURAL = "F3 ~ F1 + F2"
VISUAL = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ b*visual"
CFA = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6"
FEW = mx.Sampling(chains=2, draws=30)
#: The fast method: the No-U-Turn sampler gives draws of the same kind, but would be compiled first.
LAPLACE = {"sampling": FEW, "method": "laplace"}

MAKERS: dict[str, Callable[[], object]] = {}


def kind(make: Callable[[], object]) -> Callable[[], object]:
    """Add to the table under the name of the function; made once, without warnings."""

    @functools.cache
    def quietly() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()

    MAKERS[make.__name__] = quietly
    return quietly


# --- tables ----------------------------------------------------------------------------------------------


@functools.cache
def survey() -> pd.DataFrame:
    """Twelve groups of 40 people, two clusters of regressions."""
    rng = np.random.default_rng(3)
    parts = []
    for g in range(12):
        a, b = (0.2, 0.7) if g % 2 else (0.7, 0.1)
        f1, f2 = rng.normal(size=(2, 40))
        f3 = a * f1 + b * f2 + 0.6 * rng.normal(size=40)
        items = {
            f"x{4 * q + j + 1}": f + 0.6 * rng.normal(size=40) for q, f in enumerate((f1, f2, f3)) for j in range(4)
        }
        parts.append(pd.DataFrame({"land": f"L{g + 1}", **items}))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def pupils(missing: bool = False) -> pd.DataFrame:
    """Intelligence tests of 301 pupils, in two schools."""
    data = pd.DataFrame(mx.data.holzinger_swineford_1939())
    if missing:
        data = data.copy()
        data.loc[data.index[::7], "x2"] = np.nan
        data.loc[data.index[3::11], "x8"] = np.nan
    return data


@functools.cache
def ordered_pupils() -> pd.DataFrame:
    """The same with items in three categories."""
    data = pupils()
    return data.assign(**{f"x{i}": pd.cut(data[f"x{i}"], 3, labels=False) for i in range(1, 7)})


@functools.cache
def sleep() -> pd.DataFrame:
    """The sleep study."""
    return pd.DataFrame(mx.data.sleepstudy())


@functools.cache
def birds() -> pd.DataFrame:
    """Counts, proportions and yes or no at 20 places."""
    rng = np.random.default_rng(5)
    place, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    effect = 0.5 * rng.normal(size=20)[place]
    area = rng.uniform(1, 3, 160)
    seen = rng.binomial(6, 1 / (1 + np.exp(-0.3 * x - effect)))
    return pd.DataFrame(
        {
            "place": pd.Categorical([f"p{p}" for p in place]),
            "x": x,
            "kind": np.where(x > 0.5, "wood", np.where(x < -0.5, "lake", "field")),
            "area": area,
            "count": rng.poisson(np.exp(0.5 + 0.3 * x + effect) * area),
            "seen": seen,
            "missed": 6 - seen,
            "weight": np.exp(0.4 * x + effect) * rng.gamma(3.0, 1 / 3.0, 160),
        }
    )


@functools.cache
def lands() -> pd.DataFrame:
    """Variables of the groups of the survey."""
    rng = np.random.default_rng(8)
    names = [f"L{g + 1}" for g in range(12)]
    return pd.DataFrame({"land": names, "hdi": rng.normal(size=12), "area": ["north", "south", "south"] * 4})


# --- data ------------------------------------------------------------------------------------------------


@kind
def sample_moments() -> object:
    return mx.SampleMoments.from_frame(survey(), [f"x{i}" for i in range(1, 13)], "land")


@kind
def grouped_data() -> object:
    return mx.data.GroupedData.from_frame(pupils(), ["x1", "x2"], "school")


@kind
def ordinal_moments() -> object:
    return mx.data.OrdinalMoments.from_frame(ordered_pupils(), [f"x{i}" for i in range(1, 7)], "school")


# --- the three steps -------------------------------------------------------------------------------------


@kind
def measurement_fit() -> object:
    return mx.MGCFA(MEASUREMENT).fit(sample_moments())


@kind
def measurement_fit_of_ordered_items() -> object:
    return mx.MGCFA(CFA, ordered=True, blocks="joint").fit(ordered_pupils(), "school")


@kind
def factor_moments() -> object:
    return mx.factor_moments(measurement_fit())


@kind
def mixture_fit() -> object:
    return mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5).fit(factor_moments(), seed=1)


@kind
def mixture_with_own_regressions() -> object:
    return mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5, group_specific=("F3 ~ F2",)).fit(factor_moments(), seed=1)


@kind
def mixture_selection() -> object:
    return mx.mmgsem(MEASUREMENT, STRUCTURAL, survey(), group="land", k=range(1, 4), n_starts=5, seed=1)


@kind
def standard_errors() -> object:
    return mx.standard_errors(mixture_fit())


@kind
def wald_tests() -> object:
    return mx.wald(mixture_fit())


@kind
def intervals() -> object:
    return mx.intervals(mixture_fit())


@kind
def classification() -> object:
    return mx.classification(mixture_fit())


@kind
def mixture_bootstrap() -> object:
    return mx.bootstrap(mixture_fit(), n=4, seed=1)


@kind
def selection_bootstrap() -> object:
    return mx.bootstrap(mixture_selection(), n=3, seed=1)


@kind
def cluster_test() -> object:
    return mx.bootstrap_lrt(mixture_selection(), 1, 2, n=4, n_starts=3, seed=1)


@kind
def stability() -> object:
    return mx.stability(mixture_selection())


@kind
def membership_model() -> object:
    return mx.predictors(mixture_fit(), lands(), "hdi + area", penalty=0.16)


@kind
def distal_outcome() -> object:
    return mx.distal(mixture_fit(), lands(), "hdi")


@kind
def mixture_with_means() -> object:
    model = mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5, meanstructure=True)
    return model.fit(
        mx.factor_moments(mx.MGCFA(MEASUREMENT, equal=("loadings", "intercepts")).fit(sample_moments())), seed=1
    )


@kind
def cluster_choice() -> object:
    return mx.choose_clusters(mixture_selection())


@kind
def summary() -> object:
    return mx.summary(mixture_selection())


# --- by Bayes --------------------------------------------------------------------------------------------


@kind
def bayesian_fit() -> object:
    return mx.MLCFA("F1 =~ x1 + x2 + x3 + x4", **LAPLACE).fit(sample_moments(), seed=1)


@kind
def bayesian_fit_of_a_grid() -> object:
    model = mx.MGBCFA("F1 =~ x1 + x2 + x3", prior_variance=(0.01, None), **LAPLACE)
    return model.fit(sample_moments().subset(["L1", "L2", "L3"]), seed=1)


@kind
def multilevel_fit() -> object:
    model = mx.MLSEM("F1 =~ x1 + x2 + x3; F3 =~ x9 + x10 + x11", "F3 ~ F1", **LAPLACE)
    return model.fit(sample_moments(), seed=1)


@kind
def group_comparison() -> object:
    return mx.compare_groups(multilevel_fit(), "F3 ~ F1")


@kind
def bayes_fit_measures() -> object:
    return mx.bayes_fit_measures(bayesian_fit(), seed=1)


@kind
def diagnostics() -> object:
    return mx.diagnostics(bayesian_fit())


@kind
def prior_variance_choice() -> object:
    return bayesian_fit_of_a_grid().prior_choice


@kind
def bayesian_fit_with_own_priors() -> object:
    from mixsem.bayes.priors import Flat, Gamma, HalfT, InverseGamma, Normal

    priors = mx.Priors(
        loading=Normal(0.0, 2.0),
        residual_sd=Gamma(1.0, 0.5),
        log_variance=Flat(),
        loading_spread=HalfT(3.0, 0.5),
        log_variance_spread=InverseGamma(-1.0, 0.0),
    )
    model = mx.MLCFA("F1 =~ x1 + x2 + x3", random=("loadings",), priors=priors, **LAPLACE)
    return model.fit(sample_moments(), seed=1)


@kind
def random_effect_steps() -> object:
    return mx.random_effect_steps("F1 =~ x1 + x2 + x3", sample_moments(), sampling=FEW, seed=1)


@kind
def propagated_posterior() -> object:
    fit = mx.MLCFA(MEASUREMENT, **LAPLACE).fit(sample_moments(), seed=1)
    mixture = mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5).fit(mx.factor_moments(fit), seed=1)
    return mx.propagated_posterior(mixture)


# --- structural equation models --------------------------------------------------------------------------


@kind
def sem_fit() -> object:
    return mx.sem(VISUAL + "; twice := 2*b", pupils(), "school", group_equal="loadings")


@kind
def sem_fit_of_moments() -> object:
    return mx.cfa("F1 =~ x1 + x2 + x3 + x4", sample_moments().subset(["L1", "L2"]), group_equal="loadings")


@kind
def sem_fit_of_incomplete_rows() -> object:
    return mx.sem(VISUAL, pupils(missing=True), missing="ml", estimator="MLR")


@kind
def sem_fit_under_constraints() -> object:
    return mx.sem("visual =~ x1 + a*x2 + c*x3; a > 0.2; a + c == 1.2; r := exp(-a)^2", pupils())


@kind
def sem_fit_with_covariates() -> object:
    return mx.sem("visual =~ x1 + x2 + x3; visual ~ ageyr + sex", pupils(), estimator="MLM")


@kind
def sem_fit_of_ordered_items() -> object:
    return mx.cfa(CFA, ordered_pupils(), ordered=True)


@kind
def growth_fit() -> object:
    wide = sleep().pivot(index="Subject", columns="Days", values="Reaction").iloc[:, :4]
    wide.columns = [f"t{i}" for i in range(4)]
    return mx.growth("i =~ 1*t0 + 1*t1 + 1*t2 + 1*t3; s =~ 0*t0 + 1*t1 + 2*t2 + 3*t3", wide.reset_index(drop=True))


@kind
def sam_fit() -> object:
    return mx.sam(VISUAL, pupils(), "school")


@kind
def sam_fit_of_incomplete_rows() -> object:
    return mx.sam(VISUAL, pupils(missing=True), method="global", missing="ml")


@kind
def sem_bootstrap() -> object:
    return mx.bootstrap(sem_fit(), n=4, seed=1)


@kind
def score_test() -> object:
    return mx.score_test(sem_fit())


@kind
def release_scores() -> object:
    return mx.release_scores(sem_fit())


@kind
def invariance_test() -> object:
    return mx.invariance_test(CFA, pupils(), "school")


@kind
def non_invariance() -> object:
    return mx.find_noninvariance(invariance_test())


@kind
def alignment() -> object:
    return mx.align(mx.cfa(CFA, pupils(), "school"))


@kind
def model_comparison() -> object:
    return mx.anova(sem_fit(), mx.sem(VISUAL, pupils(), "school"))


@kind
def methods_text() -> object:
    return mx.methods_text(sem_fit())
