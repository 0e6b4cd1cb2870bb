"""The parametric bootstrap of mixed models: what is drawn, how it is fitted again, and that seeds are seeds."""

from __future__ import annotations

import warnings
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import ConvergenceWarning, DataError, MixsemError, MixsemWarning, OptionError
from mixsem.mixed.uncertainty.bootstrap import bootstrap_mixed
from mixsem.mixed.uncertainty.bootstrap_results import MixedBootstrap

#: Relative to the spread of the draws, of fits that began elsewhere: an optimiser's tolerance.
SAME_OPTIMUM = 1e-3
#: Standard errors of a mean over draws that it may be away.
MONTE_CARLO = 4.5

SLOPES = "Reaction ~ Days + (Days | Subject)"


def ratio(fit: mx.MixedFit) -> dict[str, float]:
    """A statistic of a module, so that it can be sent to other processes."""
    return {"ratio": float(fit.theta[0]), "loglik": fit.loglik, "mean": float(fit.design.y.mean())}


@pytest.fixture(scope="module")
def fit() -> mx.MixedFit:
    return mx.lmer(SLOPES, mx.data.sleepstudy())


@pytest.fixture(scope="module")
def drawn(fit) -> MixedBootstrap:
    return mx.bootstrap(fit, 300, seed=1)


def test_it_is_the_bootstrap_of_mixed_models(fit, drawn):
    assert isinstance(drawn, MixedBootstrap)
    assert (drawn.n, drawn.n_failed) == (300, 0)
    assert list(drawn.draws) == mx.confint(fit, "wald").frame["parameter"].tolist()
    assert drawn.statistics is None


def test_draws_spread_as_standard_errors_say(fit, drawn):
    for name, se in fit.se.items():
        found = drawn.draws[name]
        assert found.mean() == pytest.approx(fit.fixef[name], abs=MONTE_CARLO * se / np.sqrt(300))
        # the standard deviation of 300 draws has a relative standard error of 1 / sqrt(600)
        assert found.std(ddof=1) == pytest.approx(se, rel=MONTE_CARLO / np.sqrt(600))


def test_the_seed_decides_and_the_first_samples_stay(fit, drawn):
    again = mx.bootstrap(fit, 20, seed=1)
    pd.testing.assert_frame_equal(again.draws, drawn.draws.head(20), check_exact=True)
    assert not np.allclose(mx.bootstrap(fit, 20, seed=2).draws, again.draws)
    of_its_own = mx.bootstrap(fit, 5, seed=None)
    pd.testing.assert_frame_equal(mx.bootstrap(fit, 5, seed=of_its_own.seed).draws, of_its_own.draws, check_exact=True)


def test_any_number_of_workers_gives_the_same(fit, monkeypatch):
    monkeypatch.setattr("mixsem.mixed.uncertainty.bootstrap.WORTH_PROCESSES", 0.0)
    # Processes import what they are given: a function of this file they may not find.
    one, two = (bootstrap_mixed(fit, 12, seed=4, workers=w, statistic=attrgetter("loglik")) for w in (1, 2))
    pd.testing.assert_frame_equal(one.to_pandas(), two.to_pandas(), check_exact=True)


@pytest.mark.parametrize(
    ("formula", "reml"),
    [
        (SLOPES, True),
        (SLOPES, False),
        ("Reaction ~ Days + (Days || Subject)", True),
        ("Reaction ~ 1 + (1 | Subject)", True),
    ],
)
def test_warm_starts_find_the_optima_of_cold_ones(formula, reml):
    """Among the samples are ones on the boundary."""
    one = mx.lmer(formula, mx.data.sleepstudy(), reml=reml)
    warm, cold = (bootstrap_mixed(one, 60, seed=2, start=s) for s in ("estimate", "usual"))
    off = (warm.draws - cold.draws).abs() / warm.draws.std()
    assert float(np.nanmax(off.to_numpy())) < SAME_OPTIMUM
    np.testing.assert_array_equal(warm.boundary, cold.boundary)


def test_statistics_of_the_users_own(fit):
    found = bootstrap_mixed(fit, 15, seed=5, statistic=ratio)
    assert list(found.statistics) == ["ratio", "loglik", "mean"]
    assert found.original["ratio"] == fit.theta[0]
    plain = bootstrap_mixed(fit, 15, seed=5)
    np.testing.assert_allclose(
        found.statistics["ratio"], plain.draws["sd_(Intercept)|Subject"] / plain.draws["sigma"], rtol=1e-3
    )
    assert found.statistics["mean"].nunique() == 15  # the fit has the response that was drawn
    frame = found.intervals().frame
    assert frame["kind"].tolist()[-3:] == ["statistic"] * 3
    assert frame["estimate"].iloc[-3] == fit.theta[0]
    number = bootstrap_mixed(fit, 3, seed=5, statistic=lambda f: f.sigma)
    assert list(number.statistics) == ["statistic"]


def test_weights_and_offset_are_kept():
    """Residual variances are sigma^2 / w, and the offset is part of what is drawn and of what is fitted."""
    rng = np.random.default_rng(1)
    g, x, w = np.repeat(np.arange(15), 20), rng.normal(size=300), np.tile([0.25, 4.0], 150)
    known = 100 * rng.normal(size=300)
    y = known + 1 + 2 * x + rng.normal(size=15)[g] + rng.normal(size=300) / np.sqrt(w)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "w": w, "known": known})
    fit = mx.lmer("y ~ x + offset(known) + (1 | g)", data, weights="w")
    rows = []

    def keep(one: mx.MixedFit) -> float:
        rows.append(one.design.y - known - one.design.X @ fit.beta)
        return 0.0

    found = bootstrap_mixed(fit, 100, seed=3, statistic=keep)
    noise = np.array(rows[:-1]) if len(rows) == 101 else np.array(rows)
    groups = noise.reshape(len(noise), 15, 20)
    within = (groups - np.average(groups, axis=2, weights=w[:20])[..., None]) ** 2
    light, heavy = within[..., ::2].mean(), within[..., 1::2].mean()
    assert light / heavy == pytest.approx(16, rel=0.25)  # less a little for the mean of each group
    assert found.draws["x"].mean() == pytest.approx(fit.fixef["x"], abs=MONTE_CARLO * fit.se["x"] / 10)
    assert found.draws["sigma"].mean() == pytest.approx(fit.sigma, rel=0.03)


def test_boundary_fits_are_counted():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"y": rng.normal(size=40), "g": np.repeat(np.arange(8), 5)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        fit = mx.lmer("y ~ 1 + (1 | g)", data)
    found = mx.bootstrap(fit, 100, seed=1)
    assert found.n_boundary == int((found.draws["sd_(Intercept)|g"] == 0).sum())
    assert 20 < found.n_boundary < 90
    assert f"{found.n_boundary} samples have a variance of 0" in " ".join(found.intervals().notes)


def test_intervals_of_three_kinds(fit, drawn):
    column = drawn.draws["Days"].to_numpy()
    estimate = fit.fixef["Days"]
    low, high = np.quantile(column, [0.05, 0.95], method="weibull")
    percentile = drawn.intervals(0.9, which="Days").frame.iloc[0]
    assert (percentile["lower"], percentile["upper"]) == pytest.approx((low, high))
    basic = drawn.intervals(0.9, "basic", which="Days").frame.iloc[0]
    assert (basic["lower"], basic["upper"]) == pytest.approx((2 * estimate - high, 2 * estimate - low))
    corrected = drawn.intervals(0.9, "bc", which="Days").frame.iloc[0]
    assert abs(corrected["lower"] - low) < column.std()
    assert percentile["se"] == pytest.approx(column.std(ddof=1))
    assert percentile["bias"] == pytest.approx(column.mean() - estimate)
    with pytest.raises(OptionError, match="method="):
        drawn.intervals(method="bca")  # type: ignore[arg-type]


def test_failures_are_counted(fit):
    calls = []

    def sometimes(one: mx.MixedFit) -> float:
        calls.append(one)
        if len(calls) % 3 == 0:
            raise DataError("nothing there")
        return one.sigma

    with pytest.warns(ConvergenceWarning, match=r"4 of 12 .*nothing there"):
        found = bootstrap_mixed(fit, 12, seed=1, statistic=sometimes)
    assert found.n_failed == 4
    assert found.draws.isna().all(axis=1).sum() == 4
    assert "4 samples could not be fitted" in " ".join(found.intervals().notes)


def test_residuals_with_a_structure_are_drawn_with_it():
    rng = np.random.default_rng(4)
    g, by = np.repeat(np.arange(30), 6), np.tile([0, 1], 90)
    data = pd.DataFrame({"y": rng.normal(size=30)[g] + rng.normal(size=180) * (1 + 3 * by), "g": g, "by": by})
    fit = mx.lmer("y ~ 1 + (1 | g)", data, residual=mx.Residual(by="by"))
    found = bootstrap_mixed(fit, 20, seed=1, statistic=lambda f: float(f.design.y[1::2].std() / f.design.y[::2].std()))
    assert found.statistics["statistic"].mean() == pytest.approx(
        float(data["y"][1::2].std() / data["y"][::2].std()), rel=0.2
    )


@pytest.mark.parametrize(
    "options", [{"n": 1}, {"n": 2.5}, {"workers": 0}, {"seed": -1}, {"start": "cold"}, {"progress": 3}]
)
def test_options(fit, options):
    with pytest.raises(OptionError):
        bootstrap_mixed(fit, **{"n": 5, **options})


def test_statistics_that_cannot_be_sent(fit):
    with pytest.raises(OptionError, match="defined in a module"):
        bootstrap_mixed(fit, 4, seed=1, workers=2, statistic=lambda f: f.sigma)


def test_progress(fit):
    stages = []
    mx.bootstrap(fit, 16, seed=1, progress=lambda *a: stages.append(a))
    assert stages[-1] == ("bootstrap", 16, 16)
    assert [done for _, done, _ in stages] == sorted(done for _, done, _ in stages)


def test_processes_are_started_for_long_work_only(fit, monkeypatch):
    """An import of the package takes longer than a thousand small refits."""
    started = []

    def refuse(workers):
        started.append(workers)
        raise RuntimeError("processes")

    monkeypatch.setattr("mixsem.mixed.uncertainty.bootstrap.processes", refuse)
    found = mx.bootstrap(fit, 30, seed=1, workers=2)
    assert started == []
    pd.testing.assert_frame_equal(found.draws, mx.bootstrap(fit, 30, seed=1).draws, check_exact=True)
    monkeypatch.setattr("mixsem.mixed.uncertainty.bootstrap.WORTH_PROCESSES", 0.0)
    with pytest.raises(RuntimeError, match="processes"):
        mx.bootstrap(fit, 30, seed=1, workers=2)
    assert started == [2]
    mx.bootstrap(fit, 4, seed=1, workers=2)  # the trial was all the work
    assert started == [2]


def test_one_seed_by_default_as_in_every_bootstrap(fit):
    once, again = mx.bootstrap(fit, 4), mx.bootstrap(fit, 4)
    assert once.seed == again.seed == 0
    pd.testing.assert_frame_equal(once.draws, again.draws, check_exact=True)
    random = [mx.bootstrap(fit, 2, seed=None).seed for _ in range(2)]
    assert random[0] != random[1]


def test_rows_of_a_mixed_model_are_not_drawn(fit):
    assert mx.bootstrap(fit, 2, kind="parametric").n == 2
    with pytest.raises(OptionError, match="rows of a group depend on one another"):
        mx.bootstrap(fit, 5, kind="rows")
    with pytest.raises(MixsemError, match=r"lmer\(\)"):
        mx.bootstrap(3)
