"""What must hold whatever the data: seeds, orders, units, limits of the prior variance, and answers to bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.bayes import Priors, Sampling
from mixsem.bayes.posterior import Posterior
from mixsem.errors import DataError, MixsemError, OptionError
from mixsem.kernels.plain_posterior import entry_values, implied_covariances, log_likelihoods
from mixsem.kernels.posterior import density
from mixsem.measurement.bayes_fit import BayesianFit
from mixsem.measurement.mgbcfa import MGBCFA
from mixsem.measurement.mlcfa import MLCFA

MODEL = "F =~ x1 + x2 + x3 + x4"
ITEMS = ["x1", "x2", "x3", "x4"]
#: Enough to have a fit at all; the tests here evaluate its posterior.
SHORTEST = Sampling(chains=1, warmup=50, draws=10, max_depth=3, cores=1)
#: Sums of a few hundred terms in another order.
ROUNDING = 1e-10


def people(sizes: tuple[int, ...] = (30, 40, 50, 35), seed: int = 1, labels: str = "abcdefgh") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for label, n in zip(labels, sizes, strict=False):
        loading = np.array([1.0, *rng.normal(0.8, 0.1, 3)])
        x = rng.normal(size=(n, 1)) * loading + rng.normal(size=(n, 4)) * 0.6 + rng.normal(size=4)
        rows.append(pd.DataFrame(x, columns=ITEMS).assign(group=label))
    return pd.concat(rows, ignore_index=True)


def fit(model: MGBCFA | MLCFA, data: pd.DataFrame, seed: int = 1) -> BayesianFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # far too short to converge
        return model.fit(data, "group", seed=seed)


def posterior_of(model: MGBCFA | MLCFA, data: pd.DataFrame) -> Posterior:
    return fit(model, data).blocks[0].posterior


def log_density(posterior: Posterior, x: np.ndarray) -> float:
    value = density(posterior.problem, x, np.empty_like(x))
    assert np.isfinite(value)
    return float(value)


def points(posterior: Posterior, n: int = 3) -> np.ndarray:
    """Parameters in the region of the data: loadings near .8, log variances near -.5."""
    rng = np.random.default_rng(3)
    loading = posterior.problem.kind[posterior.entry] == 0
    what = np.array(posterior.what)
    centre = np.where(what == "deviation", 0.0, np.where(what == "sd", -1.0, np.where(loading, 0.8, -0.5)))
    return centre + 0.2 * rng.standard_normal((n, centre.size))


@pytest.mark.parametrize("model", [MGBCFA(MODEL), MLCFA(MODEL)], ids=["MGBCFA", "MLCFA"])
def test_the_seed_decides_and_the_cores_do_not(model: MGBCFA | MLCFA):
    def draws(cores: int, seed: int) -> np.ndarray:
        settings = Sampling(chains=3, warmup=60, draws=20, max_depth=5, cores=cores)
        return fit(type(model)(MODEL, sampling=settings), people(), seed).blocks[0].draws.x

    one = draws(cores=1, seed=5)
    np.testing.assert_array_equal(one, draws(cores=2, seed=5))
    assert not np.array_equal(one, draws(cores=1, seed=6))
    assert not np.array_equal(one[0], one[1])  # nor do chains repeat each other


def test_blocks_have_seeds_of_their_own():
    """Two factors with the same data are drawn independently."""
    data = people()
    twice = data.assign(**{f"y{j}": data[f"x{j}"] for j in range(1, 5)})
    result = fit(MLCFA(f"{MODEL}\nH =~ y1 + y2 + y3 + y4", sampling=SHORTEST), twice)
    first, second = result.blocks
    np.testing.assert_array_equal(first.posterior.problem.S, second.posterior.problem.S)
    assert not np.array_equal(first.draws.x, second.draws.x)


def test_order_of_columns_does_not_matter():
    data = people()
    other = data[["x3", "group", "x1", "x4", "x2"]]
    model = MLCFA(MODEL, sampling=SHORTEST)
    np.testing.assert_array_equal(fit(model, data).blocks[0].draws.x, fit(model, other).blocks[0].draws.x)


def test_order_of_rows_does_not_matter():
    """Sums over rows are rounded otherwise, so that it is the density that is compared."""
    data = people()
    model = MLCFA(MODEL, sampling=SHORTEST)
    ours, theirs = posterior_of(model, data), posterior_of(model, data.sample(frac=1.0, random_state=2))
    assert ours.names == theirs.names
    for x in points(ours):
        assert log_density(ours, x) == pytest.approx(log_density(theirs, x), rel=ROUNDING)


def test_shifting_items_does_not_matter():
    """Means are integrated out."""
    data = people()
    shifted = data.assign(x1=data.x1 + 100.0 * (data.group == "b"), x3=data.x3 - 50.0)
    model = MLCFA(MODEL, sampling=SHORTEST)
    ours, theirs = posterior_of(model, data), posterior_of(model, shifted)
    for x in points(ours):
        assert log_density(ours, x) == pytest.approx(log_density(theirs, x), rel=1e-9)


@pytest.mark.parametrize(
    ("model", "same"),
    [
        (MGBCFA(MODEL, symmetric=True, prior_variance=0.05, sampling=SHORTEST), True),
        (MLCFA(MODEL, sampling=SHORTEST), True),
        (MGBCFA(MODEL, prior_variance=0.05, sampling=SHORTEST), False),
    ],
    ids=["symmetric", "multilevel", "reference"],
)
def test_no_group_is_special_but_the_reference(model: MGBCFA | MLCFA, same: bool):
    """Relabelled groups come in another order; the density of the same loadings and variances stays."""
    data = people()
    new = dict(zip("abcd", "dbac", strict=True))
    relabelled = data.assign(group=data.group.map(new))
    ours, theirs = posterior_of(model, data), posterior_of(model, relabelled)
    if same:
        place = [theirs.names.index(_relabel(name, new)) for name in ours.names]
        for x in points(ours):
            y = np.empty_like(x)
            y[place] = x
            assert log_density(theirs, y) == pytest.approx(log_density(ours, x), rel=ROUNDING)
    else:  # the first group has no deviations; after relabelling this is another one
        missing = {_relabel(name, new) for name in ours.names} - set(theirs.names)
        assert missing == {f"deviation F=~x{j} [a]" for j in (2, 3, 4)}


def _relabel(name: str, new: dict[str, str]) -> str:
    return name if not name.endswith("]") else f"{name[:-2]}{new[name[-2]]}]"


@pytest.mark.parametrize("item", ["x1", "x3"])
@pytest.mark.parametrize("kind", [MLCFA, MGBCFA])
def test_rescaling_an_item_rescales_its_parameters(kind: type, item: str):
    """Under standardized priors the log density changes by a constant; x1 is the marker and rescales the factor."""
    c = 10.0
    shifts = _shifts(kind, Priors(), item, c)
    np.testing.assert_allclose(shifts, shifts[0], rtol=1e-9)
    in_raw_units = _shifts(kind, Priors.blavaan(), item, c)
    assert np.ptp(in_raw_units) > 1e-3


def _shifts(kind: type, priors: Priors, item: str, c: float) -> np.ndarray:
    """Changes of the log density at some points when an item is multiplied by c and parameters follow."""
    data = people()
    options = {} if kind is MLCFA else {"prior_variance": None}  # v is in the items' own units
    model = kind(MODEL, priors=priors, sampling=SHORTEST, **options)
    ours = posterior_of(model, data)
    theirs = posterior_of(model, data.assign(**{item: data[item] * c}))
    factor = c if item == "x1" else 1.0
    shifts = []
    for x in points(ours):
        y = x.copy()
        for i, e in enumerate(ours.entry):
            name = ours.model.entries[e]
            if ours.what[i] == "deviation":
                continue
            if "=~" in name:
                ratio = (c if name.endswith(item) else 1.0) / factor
                y[i] = x[i] + np.log(ratio) if ours.what[i] == "sd" else x[i] * ratio
            elif ours.what[i] != "sd":
                y[i] += 2 * np.log(factor if name == "F~~F" else c if name.endswith(item) else 1.0)
        shifts.append(log_density(theirs, y) - log_density(ours, x))
    return np.array(shifts)


def test_ignoring_means_shrinks_variances_by_one_over_n():
    """The likelihood has its peak at (N - 1)/N of the same matrix, and counts N people instead of N - 1."""
    n = 30
    data = people((n, n))
    free = posterior_of(MLCFA(MODEL, sampling=SHORTEST), data).problem
    ignored = posterior_of(MLCFA(MODEL, means="ignore", sampling=SHORTEST), data).problem
    np.testing.assert_array_equal(free.nu, n - 1.0)
    np.testing.assert_array_equal(ignored.nu, float(n))
    posterior = posterior_of(MLCFA(MODEL, sampling=SHORTEST), data)
    Sigma = implied_covariances(free, entry_values(free, points(posterior)))
    here = log_likelihoods(free, Sigma) * n / (n - 1)
    there = log_likelihoods(ignored, Sigma * (n - 1) / n)
    np.testing.assert_allclose(there - here, (there - here)[0, 0], rtol=1e-10)


def test_a_prior_variance_of_zero_is_exact_invariance():
    result = fit(MGBCFA(MODEL, prior_variance=0.0, sampling=SHORTEST), people())
    assert (result.Lambda == result.Lambda[:1]).all()
    assert not any(what in ("mean", "deviation") for what in result.blocks[0].posterior.what)


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_tiny_prior_variance_tends_to_exact_invariance(symmetric: bool):
    """The density becomes that of invariance times that of free standard normal deviations, as fast as sqrt(v)."""
    data = people()
    exact = posterior_of(MGBCFA(MODEL, prior_variance=0.0, sampling=SHORTEST), data)
    gaps = []
    for v in (1e-4, 1e-6, 1e-8):
        near = posterior_of(MGBCFA(MODEL, prior_variance=v, symmetric=symmetric, sampling=SHORTEST), data)
        deviation = np.array([what == "deviation" for what in near.what])
        x = points(near, 1)[0]
        assert [name.removeprefix("mean ") for name, d in zip(near.names, deviation, strict=True) if not d] == list(
            exact.names
        )
        expected = log_density(exact, x[~deviation].copy()) - 0.5 * (x[deviation] ** 2).sum()
        gaps.append(abs(log_density(near, x) - expected))
    assert gaps[0] > 1e-6
    assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.3)
    assert gaps[2] == pytest.approx(gaps[1] / 10, rel=0.3)


def test_no_prior_variance_frees_the_loading():
    posterior = posterior_of(MGBCFA(MODEL, prior_variance={"F =~ x2": None, "F=~x3": 0}, sampling=SHORTEST), people())
    what = {name: kind for name, kind in zip(posterior.names, posterior.what, strict=True) if "F=~" in name}
    assert what["F=~x2 [a]"] == what["F=~x2 [d]"] == "group"
    assert what["F=~x3"] == "common"
    assert what["mean F=~x4"] == "mean" and what["deviation F=~x4 [b]"] == "deviation"
    e = posterior.model.entries.index("F=~x4")
    assert posterior.problem.s[e] == pytest.approx(0.1)  # what is not named has a variance of .01


def test_the_reference_group_is_the_one_named():
    posterior = posterior_of(MGBCFA(MODEL, reference="c", sampling=SHORTEST), people())
    named = {name[-2] for name in posterior.names if name.startswith("deviation")}
    assert named == {"a", "b", "d"}


@pytest.mark.parametrize("kind", [MGBCFA, MLCFA])
@pytest.mark.parametrize("sizes", [(2, 30, 40), (4, 3, 5, 30), (2, 2, 2)], ids=["one pair", "N <= p", "pairs only"])
def test_small_groups_are_no_obstacle(kind: type, sizes: tuple[int, ...]):
    settings = Sampling(chains=2, warmup=150, draws=50, cores=1)
    result = fit(kind(MODEL, priors="default", sampling=settings), people(sizes))
    for matrices in (result.Theta, result.Phi):
        assert (np.linalg.eigvalsh(matrices) > 0).all()
    assert np.isfinite(result.Lambda).all()
    assert not result.blocks[0].draws.diverging.all()


BAD = {
    "random": (lambda: MLCFA(MODEL, random="loading"), OptionError, "loading"),
    "random name": (lambda: MLCFA(MODEL, random=("F =~ x9",)), OptionError, "F =~ x9"),
    "random marker": (lambda: MLCFA(MODEL, random=("F =~ x1",)), OptionError, "F =~ x1"),
    "negative variance": (lambda: MGBCFA(MODEL, prior_variance=-0.01), OptionError, "-0.01"),
    "text variance": (lambda: MGBCFA(MODEL, prior_variance="small"), OptionError, "small"),
    "infinite variance": (lambda: MGBCFA(MODEL, prior_variance=float("inf")), OptionError, "inf"),
    "nan variance": (lambda: MGBCFA(MODEL, prior_variance=float("nan")), OptionError, "nan"),
    "variance of a stranger": (lambda: MGBCFA(MODEL, prior_variance={"F=~x7": 0.1}), OptionError, "F=~x7"),
    "negative variance by name": (lambda: MGBCFA(MODEL, prior_variance={"F": -1.0}), OptionError, "-1.0"),
    "reference": (lambda: MGBCFA(MODEL, reference="z"), DataError, "'z'"),
    "preset": (lambda: MLCFA(MODEL, priors="blavan"), OptionError, "blavan"),
    "method": (lambda: MLCFA(MODEL, method="nut"), OptionError, "nut"),
    "means": (lambda: MLCFA(MODEL, means="ignored"), OptionError, "ignored"),
    "blocks": (lambda: MLCFA(MODEL, blocks="factors"), OptionError, "factors"),
    "chains": (lambda: Sampling(chains=0), OptionError, "chains=0"),
    "draws": (lambda: Sampling(draws=1000.0), OptionError, "1000.0"),
    "warm-up": (lambda: Sampling(warmup=10), OptionError, "warmup=10"),
    "acceptance": (lambda: Sampling(target_accept=1.0), OptionError, "1.0"),
    "acceptance as text": (lambda: Sampling(target_accept="high"), OptionError, "high"),
    "depth": (lambda: Sampling(max_depth=0), OptionError, "max_depth=0"),
    "cores": (lambda: Sampling(cores=0), OptionError, "cores=0"),
    "cores as truth": (lambda: Sampling(cores=True), OptionError, "True"),
    "units": (lambda: Priors(units="standardised"), OptionError, "standardised"),
    "a number for a prior": (lambda: Priors(loading=3.0), OptionError, "3.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_with_what_is_allowed_and_what_to_do(name: str):
    make, category, quoted = BAD[name]

    def use() -> None:
        made = make()
        if not isinstance(made, Sampling | Priors):
            fit(made, people())

    with pytest.raises(category) as caught:
        use()
    error = caught.value
    assert isinstance(error, MixsemError)
    assert quoted in error.got
    assert error.allowed and error.todo


def test_one_group_has_nothing_to_vary_over():
    with pytest.raises(DataError, match="single group") as caught:
        fit(MLCFA(MODEL), people((40,)))
    assert caught.value.allowed and caught.value.todo
    result = fit(MGBCFA(MODEL, sampling=SHORTEST), people((40,)))
    assert result.Lambda.shape == (1, 4, 1)
    (notice,) = (n for n in result.notices if n.name == "FewGroupsWarning")
    assert "single group" in notice.text and "group=" in notice.text
    assert not any(
        n.name == "FewGroupsWarning" for n in fit(MGBCFA(MODEL, sampling=SHORTEST), people((40, 40))).notices
    )


def test_what_no_draw_can_mend_is_refused():
    """Means in the model text, flat priors over three groups, a reference in the symmetric form."""
    population = mx.simulate.Population(n_groups=3, n_clusters=2, group_size=60)
    moments = mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=1), seed=1)
    text = "F =~ V1 + V2 + V3"
    with pytest.raises(mx.errors.UnsupportedModelError, match="line 2, column 6: V1~1 is an intercept"):
        mx.MGBCFA(f"{text}\nV1 ~ 1").fit(moments, seed=1)
    with pytest.raises(mx.errors.OptionError, match="sd F=~V2: a flat prior on the variance of random effects over 3"):
        mx.MLCFA(text, priors="mplus").fit(moments, seed=1)
    with pytest.raises(mx.errors.OptionError, match="symmetric=True with reference=2"):
        mx.MGBCFA(text, symmetric=True, reference=2).fit(moments, seed=1)


#: Spreads of loadings and of correlations; a flat prior on the mean as well takes one group more.
FLAT = mx.bayes.InverseGamma(-1.0, 0.0)
BOTH = "F =~ x1 + x2 + x3 + x4\nx1 ~~ x2"
SPREADS = {
    "loadings, flat mean": (Priors(loading_spread=FLAT, loading=mx.bayes.Flat()), "loadings", 4),
    "loadings, normal mean": (Priors(loading_spread=FLAT), "loadings", 3),
    "residual correlation": (Priors(correlation_spread=FLAT), "residual correlations", 3),
    "flat on the standard deviation": (Priors(loading_spread=mx.bayes.InverseGamma(-0.5, 0.0)), "loadings", 2),
}


@pytest.mark.parametrize("name", SPREADS)
def test_flat_priors_on_spreads_need_groups(name: str):
    """The integral over s of s^(-2a-1) s^-n, or s^(1-n) under a flat mean, is finite from `least` groups on."""
    priors, random, least = SPREADS[name]
    model = MLCFA(BOTH, random=random, priors=priors, sampling=SHORTEST)
    sizes = (40, 50, 45, 35, 60)
    assert np.isfinite(fit(model, people(sizes[:least])).Lambda).all()
    if least > 2:  # one group is refused for another reason
        with pytest.raises(OptionError, match=f"over {least - 1} groups") as caught:
            fit(model, people(sizes[: least - 1]))
        assert f"{least} groups" in caught.value.allowed and caught.value.todo


def test_flat_priors_without_spreads_are_no_trouble():
    assert fit(MLCFA(MODEL, random=(), priors="mplus", sampling=SHORTEST), people((40, 50))).Lambda.shape == (2, 4, 1)


def test_a_spread_with_infinite_mass_near_zero_is_refused():
    priors = Priors(loading_spread=mx.bayes.InverseGamma(0.0, 0.0))
    with pytest.raises(OptionError, match="infinite total near zero"):
        fit(MLCFA(MODEL, priors=priors), people((30,) * 8))


LABELLED = "F =~ x1 + a*x2 + x3 + x4"


def test_a_named_loading_must_not_be_held_by_a_label():
    with pytest.raises(OptionError, match="names 'F=~x2', which a label in the model holds equal"):
        fit(MLCFA(LABELLED, random=("F =~ x2",)), people())
    with pytest.raises(OptionError, match="names 'F=~x2', which a label in the model holds equal"):
        fit(MGBCFA(LABELLED, prior_variance={"F =~ x2": 0.1}), people())
    by_kind = fit(MLCFA(LABELLED, random="loadings", sampling=SHORTEST), people()).Lambda
    assert (by_kind[:, 1] == by_kind[0, 1]).all() and np.ptp(by_kind[:, 2]) > 0
    own = fit(MLCFA("F =~ x1 + c(a, b, c, d)*x2 + x3 + x4", random="F =~ x2", sampling=SHORTEST), people()).Lambda
    assert np.ptp(own[:, 1]) > 0 and np.ptp(own[:, 2]) == 0  # labels that tie nothing


def test_a_prior_variance_for_the_marker_is_refused():
    with pytest.raises(OptionError, match="names 'F=~x1', which is fixed at 1") as caught:
        fit(MGBCFA(MODEL, prior_variance={"F": 0.01, "F =~ x1": 0.1}), people())
    assert "marker" in caught.value.allowed and caught.value.todo


def test_labels_that_look_alike_are_told_apart():
    data = people().assign(group=lambda d: d.group.map({"a": 1, "b": 2, "c": 3, "d": 4}))
    with pytest.raises(DataError, match="reference='3' is not a group") as caught:
        fit(MGBCFA(MODEL, reference="3"), data)
    assert caught.value.todo == "the labels are of type int, not str: give reference=3"


@pytest.mark.parametrize("method", ["nuts", "laplace"])
@pytest.mark.parametrize("kind", [MGBCFA, MLCFA])
def test_a_copy_of_an_item_is_named(kind: type, method: str):
    data = people((3, 40, 50)).assign(x3=lambda d: 2.0 * d.x2 - 1.0)
    with pytest.raises(DataError, match="x3 is a copy of x2") as caught:
        fit(kind(MODEL, method=method), data)
    assert caught.value.allowed and caught.value.todo


RUNS = {
    "negative seed": (MODEL, {"seed": -1}, "seed=-1"),
    "seed in words": (MODEL, {"seed": "one"}, "seed='one'"),
    "progress": (MODEL, {"progress": True}, "progress=True"),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", [MGBCFA, MLCFA])
def test_settings_of_a_run_are_checked(kind: type, name: str):
    text, settings, quoted = RUNS[name]
    with pytest.raises(OptionError) as caught:
        kind(text, sampling=SHORTEST).fit(people(), "group", **settings)
    assert quoted in caught.value.got and caught.value.allowed and caught.value.todo


@pytest.mark.parametrize("sampling", [None, {"draws": 100}])
@pytest.mark.parametrize("kind", [MGBCFA, MLCFA])
def test_sampling_is_a_sampling_object(kind: type, sampling: object):
    with pytest.raises(OptionError, match="sampling=") as caught:
        kind(MODEL, sampling=sampling).fit(people(), "group")
    assert "mixsem.Sampling(" in caught.value.todo


@pytest.mark.parametrize("random", [None, 3, ("loadings", 3)])
def test_random_takes_names(random: object):
    with pytest.raises(OptionError, match="random=") as caught:
        fit(MLCFA(MODEL, random=random), people())
    assert caught.value.allowed and caught.value.todo
