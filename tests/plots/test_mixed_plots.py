"""The figures of mixed models draw what their twins return, and that is what the fits hold."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from mixsem import plots
from mixsem.data import sleepstudy
from mixsem.errors import OptionError
from mixsem.mixed.derived.no_pooling import no_pooling
from mixsem.mixed.fit import MixedFit
from mixsem.mixed.generalised.glmer import glmer
from mixsem.mixed.linear import lmer
from mixsem.plots.smoothing import smooth

#: Of least squares computed in two ways.
ROUNDING = 1e-8


@pytest.fixture(scope="module")
def slopes() -> MixedFit:
    return lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


def crossed_data(n: int = 5000, groups: int = 500, seed: int = 2) -> dict[str, object]:
    """Many unequal levels beside a few, some rows incomplete, residuals with long tails."""
    rng = np.random.default_rng(seed)
    g = np.minimum(rng.geometric(2.5 / groups, n) - 1, groups - 1)
    h, x = rng.integers(0, 4, n), rng.normal(size=n)
    effects = rng.normal(size=(groups, 2))
    y = 2.0 + x + effects[g, 0] + 0.5 * effects[g, 1] * x + rng.normal(size=4)[h] + rng.standard_t(3, n)
    x[::100] = np.nan
    return {"y": y, "x": x, "g": [f"${i}" for i in g], "h": h}


@pytest.fixture(scope="module")
def crossed() -> MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer("y ~ x + (x | g) + (1 | h)", crossed_data())


@pytest.fixture(scope="module")
def flat() -> MixedFit:
    """A fit whose random effects do not vary."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=60)
    g = np.arange(60) % 6
    y -= np.array([y[g == k].mean() for k in range(6)])[g]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer("y ~ 1 + (1 | g)", {"y": y, "g": g})


def points(ax: Axes, gid: str) -> np.ndarray:
    found = [c for c in ax.collections if c.get_gid() == gid]
    assert len(found) == 1 and isinstance(found[0], PathCollection)
    return np.asarray(found[0].get_offsets())


def line(ax: Axes, gid: str) -> np.ndarray:
    (found,) = [one for one in ax.lines if one.get_gid() == gid]
    return np.asarray(found.get_xydata())


def segments(ax: Axes, gid: str) -> np.ndarray:
    (found,) = [c for c in ax.collections if c.get_gid() == gid]
    assert isinstance(found, LineCollection)
    return np.array(found.get_segments())


# --- caterpillar --------------------------------------------------------------------------------------------------


def test_caterpillar_data_are_the_modes(slopes: MixedFit) -> None:
    data = plots.caterpillar_data(slopes)
    assert data.groupby("effect", sort=False).size().to_dict() == {"(Intercept)": 18, "Days": 18}
    modes = slopes.ranef.frame.set_index(["effect", "level"])
    rows = data.set_index(["effect", "level"])
    assert rows["estimate"].to_dict() == modes["estimate"].to_dict()
    np.testing.assert_array_equal(rows["sd"], modes["sd"][rows.index])
    first, second = (rows.loc[name] for name in ("(Intercept)", "Days"))
    assert (np.diff(first["estimate"]) < 0).all() and list(first.index) == list(second.index)
    assert data["scale"].unique() == pytest.approx(slopes.varcorr["Subject"].sd)


def test_caterpillar_draws_its_data(slopes: MixedFit) -> None:
    data, figure = plots.caterpillar_data(slopes), plots.caterpillar(slopes)
    assert isinstance(figure, Figure)
    for ax, (effect, rows) in zip(figure.axes, data.groupby("effect", sort=False), strict=True):
        assert ax.get_xlabel() == effect
        np.testing.assert_array_equal(points(ax, "estimates"), rows[["estimate", "place"]])
        np.testing.assert_array_equal(segments(ax, "intervals")[:, :, 0], rows[["lower", "upper"]])
        assert [t.get_text() for t in ax.get_yticklabels()] == [str(level) for level in rows["level"]]
        (dots,) = [c for c in ax.collections if c.get_gid() == "estimates"]
        filled = np.asarray(dots.get_facecolor())[:, 0] < 0.5
        assert filled.tolist() == ((rows["lower"] > 0) | (rows["upper"] < 0)).tolist()
        assert 0 < filled.sum() < 18
        assert ax.yaxis_inverted()  # the largest on top


def test_caterpillar_thins_many_levels(crossed: MixedFit) -> None:
    data = plots.caterpillar_data(crossed)
    figure = plots.caterpillar(crossed)
    n = len(crossed.design.factors[0].levels)
    assert n > 200 and [len(rows) for _, rows in data.groupby(["group", "effect"], sort=False)] == [n, n, 4]
    for ax, effect in zip(figure.axes[:2], ("(Intercept)", "x"), strict=True):
        rows = data[(data["group"] == "g") & (data["effect"] == effect)]
        assert (np.diff(rows["estimate"]) <= 0).all()
        drawn = rows[rows["drawn"]]
        assert len(drawn) == 200 and {0, n - 1} <= set(drawn["place"])
        np.testing.assert_array_equal(points(ax, "estimates"), drawn[["estimate", "place"]])
        assert ax.get_title(loc="right") == f"200 of {n} levels" and not len(ax.get_yticks())
    assert figure.axes[2].get_title(loc="left") == "h" and len(figure.axes[2].get_yticks()) == 4


def test_one_panel_goes_into_given_axes(crossed: MixedFit) -> None:
    ax = Figure().add_subplot()
    assert plots.caterpillar(crossed, "g", "x", ax=ax) is ax and ax.get_xlabel() == "x"
    with pytest.raises(OptionError, match=r"ax= for 2 panels: \(Intercept\) by g, x by g"):
        plots.caterpillar(crossed, "g", ax=Figure().add_subplot())


# --- shrinkage ----------------------------------------------------------------------------------------------------


def test_without_pooling_each_level_is_its_own_regression(slopes: MixedFit) -> None:
    data = plots.shrinkage_data(slopes).set_index("level")
    for subject, rows in sleepstudy().groupby("Subject"):
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        assert data.loc[subject, ["none1", "none2"]].tolist() == pytest.approx([intercept, slope], rel=ROUNDING)
    coef = slopes.coef("Subject")
    assert isinstance(coef, pd.DataFrame)
    np.testing.assert_allclose(data[["partial1", "partial2"]], coef.loc[data.index], rtol=1e-14)
    assert data[["complete1", "complete2"]].drop_duplicates().to_numpy().tolist() == [slopes.beta.tolist()]


def test_without_pooling_the_rest_stays_as_it_is(crossed: MixedFit) -> None:
    """The own coefficients of a level explain what other factors do not."""
    frame, b = crossed.design.frame, crossed.state.b
    h = crossed.design.factors[1]
    rest = frame["y"] - b[1][h.codes, 0]
    found = no_pooling(crossed, 0)
    level = int(np.argmax(np.bincount(crossed.design.factors[0].codes)))
    mine = crossed.design.factors[0].codes == level
    assert found[level][::-1] == pytest.approx(np.polyfit(frame["x"][mine], rest[mine], 1), rel=ROUNDING)
    few = np.bincount(crossed.design.factors[0].codes) < 2
    assert few.any() and np.isnan(found[few]).all() and np.isfinite(found[~few]).all()


def test_weights_count_without_pooling() -> None:
    frame = sleepstudy().assign(w=np.tile([1.0, 3.0], 90))
    found = no_pooling(lmer("Reaction ~ 1 + (1 | Subject)", frame, weights="w"), 0)
    expected = [np.average(rows["Reaction"], weights=rows["w"]) for _, rows in frame.groupby("Subject")]
    np.testing.assert_allclose(found[:, 0], expected, rtol=ROUNDING)


def test_shrinkage_draws_its_data(slopes: MixedFit) -> None:
    data, ax = plots.shrinkage_data(slopes), plots.shrinkage(slopes).axes[0]
    start, end = data[["none1", "none2"]].to_numpy(), data[["partial1", "partial2"]].to_numpy()
    np.testing.assert_array_equal(points(ax, "none"), start)
    np.testing.assert_array_equal(points(ax, "partial"), end)
    np.testing.assert_array_equal(segments(ax, "arrows"), np.stack([start, end], axis=1))
    np.testing.assert_array_equal(points(ax, "complete"), [slopes.beta])
    assert [t.get_text() for t in ax.texts] == [str(level) for level in data["level"]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("(Intercept)", "Days")
    # ellipses are those of the covariance matrix: their axes are its eigenvectors, and half is inside of the first
    ellipse = next(p for p in ax.patches if isinstance(p, Ellipse))
    covariance = slopes.varcorr["Subject"].covariance
    values = np.linalg.eigvalsh(covariance)
    assert (ellipse.height / 2) ** 2 / values[0] == pytest.approx((ellipse.width / 2) ** 2 / values[1])
    draws = np.random.default_rng(1).multivariate_normal(slopes.beta, covariance, 4000)
    inside = ellipse.contains_points(ax.transData.transform(draws))
    assert inside.mean() == pytest.approx(0.5, abs=0.03)  # four standard errors of a share of 4,000


def test_one_effect_stands_in_rows(slopes: MixedFit) -> None:
    data = plots.shrinkage_data(slopes, effects=["Days"])
    ax = plots.shrinkage(slopes, effects=["Days"]).axes[0]
    ordered = data.sort_values("none1", ascending=False)
    np.testing.assert_array_equal(points(ax, "none")[:, 0], ordered["none1"])
    np.testing.assert_array_equal(points(ax, "partial")[:, 0], ordered["partial1"])
    assert [t.get_text() for t in ax.get_yticklabels()] == [str(level) for level in ordered["level"]]
    assert line(ax, "complete")[:, 0].tolist() == [slopes.beta[1]] * 2
    assert "none2" not in data


def test_shrinkage_thins_many_levels_and_leaves_out_far_starts(crossed: MixedFit) -> None:
    data, ax = plots.shrinkage_data(crossed), plots.shrinkage(crossed).axes[0]
    drawn = data[data["drawn"]]
    assert len(drawn) == 200 and not drawn.isna().any().any()
    np.testing.assert_array_equal(points(ax, "none"), drawn[["none1", "none2"]])
    low, high = ax.get_xlim()
    assert low < drawn["partial1"].min() and drawn["partial1"].max() < high
    assert np.ptp(drawn["none1"]) > high - low  # levels with hardly more rows than coefficients start outside


# --- residuals ----------------------------------------------------------------------------------------------------


def test_residuals_are_drawn_against_fitted_values(slopes: MixedFit) -> None:
    data, figure = plots.mixed_residuals_data(slopes), plots.mixed_residuals(slopes)
    order = data["row"].to_numpy()
    np.testing.assert_array_equal(data["fitted"], slopes.fitted[order])
    np.testing.assert_array_equal(data["residual"], slopes.residuals("scaled")[order])
    np.testing.assert_array_equal(data["size"], np.sqrt(np.abs(data["residual"])))
    mean, spread = figure.axes
    np.testing.assert_array_equal(points(mean, "rows"), data[["fitted", "residual"]])
    np.testing.assert_array_equal(points(spread, "rows"), data[["fitted", "size"]])
    np.testing.assert_array_equal(line(mean, "line"), data[["fitted", "mean"]])
    np.testing.assert_array_equal(line(spread, "line"), data[["fitted", "spread"]])
    one = plots.mixed_residuals(slopes, "spread", ax=Figure().add_subplot())
    assert one.get_ylabel() == spread.get_ylabel() != mean.get_ylabel()


def test_of_many_rows_the_largest_residuals_are_drawn(crossed: MixedFit) -> None:
    data = plots.mixed_residuals_data(crossed)
    assert len(data) == 4950 and 4000 <= data["drawn"].sum() <= 4050
    assert data.loc[data["residual"].abs().nlargest(50).index, "drawn"].all()
    assert (data["row"] % 100 != 0).all()  # positions in the table that was given: incomplete rows are not among them
    drawn = data[data["drawn"]]
    np.testing.assert_array_equal(points(plots.mixed_residuals(crossed).axes[0], "rows"), drawn[["fitted", "residual"]])


def test_the_smooth_line_follows_a_curve_and_means_of_noise() -> None:
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(0.0, 1.0, 20000))
    at, found = smooth(x, (x - 0.5) ** 2 + rng.normal(0.0, 0.1, len(x)))
    middle = (at > 0.2) & (at < 0.8)
    # a local line over 60% of the points is off by the curvature within its window, of the order of 0.3^2 / 5
    np.testing.assert_allclose(found[middle], (at[middle] - 0.5) ** 2, atol=0.02)
    assert found[0] > 0.15 and found[-1] > 0.15 > 0.03 > found[np.argmin(np.abs(at - 0.5))]
    assert smooth(np.ones(50), np.arange(50.0))[0].size == 0


# --- normal quantiles ---------------------------------------------------------------------------------------------


def test_quantiles_are_those_of_standardised_values(slopes: MixedFit) -> None:
    from scipy.stats import norm

    data, figure = plots.qq_data(slopes), plots.qq(slopes)
    panels = [rows for _, rows in data.groupby(["group", "effect"], sort=False)]
    assert [len(rows) for rows in panels] == [180, 18, 18]
    residuals, intercepts, _ = panels
    np.testing.assert_array_equal(residuals["value"], np.sort(slopes.residuals("scaled")))
    np.testing.assert_allclose(intercepts["theoretical"], norm.ppf((np.arange(18) + 0.5) / 18))
    left = slopes.varcorr["Subject"].covariance[0, 0] - slopes.ranef.covariance("Subject")[:, 0, 0]
    expected = pd.Series(slopes.state.b[0][:, 0] / np.sqrt(left), slopes.design.factors[0].levels)
    np.testing.assert_allclose(intercepts["value"], expected[intercepts["level"]])
    for ax, rows in zip(figure.axes, panels, strict=True):
        np.testing.assert_array_equal(points(ax, "values"), rows[["theoretical", "value"]])
        np.testing.assert_array_equal(line(ax, "line"), rows[["theoretical", "line"]])
        at_quartiles = np.interp([0.25, 0.75], norm.cdf(rows["theoretical"]), rows["line"])
        assert at_quartiles == pytest.approx(np.quantile(rows["value"], [0.25, 0.75]), abs=0.01)


def test_the_band_holds_normal_order_statistics() -> None:
    """Bands of simulated normal values: 95% of the values of each rank are inside, here of the smallest."""
    from mixsem.plots.qq import _quantiles

    rng = np.random.default_rng(5)
    sure = _quantiles("Residual", "", np.arange(9), np.linspace(-1.0, 1.0, 9))
    scale = (sure["line"] / sure["theoretical"]).iloc[0]
    draws = np.sort(rng.normal(0.0, scale, (4000, 9)), axis=1)
    inside = (draws > sure["lower"].to_numpy()) & (draws < sure["upper"].to_numpy())
    np.testing.assert_allclose(inside.mean(axis=0), 0.95, atol=0.014)  # four standard errors


def test_values_outside_the_band_have_names(slopes: MixedFit) -> None:
    names = [[t.get_text() for t in ax.texts] for ax in plots.qq(slopes).axes]
    rows = plots.qq_data(slopes, "Residual").set_index("level")
    outside = np.maximum(rows["lower"] - rows["value"], rows["value"] - rows["upper"])
    assert outside.max() > 0.0 and names[0][0] == str(outside.idxmax()) == str(np.argmax(slopes.residuals()))
    assert set(names[0]) <= set(map(str, outside.nlargest(3).index)) and names[1:] == [[], []]


def test_many_values_keep_their_ends(crossed: MixedFit) -> None:
    data = plots.qq_data(crossed, "Residual")
    values = np.sort(crossed.residuals("scaled"))
    assert (data["n"] == len(values)).all() and len(data) < 900
    np.testing.assert_array_equal(data["value"].to_numpy()[:100], values[:100])
    np.testing.assert_array_equal(data["value"].to_numpy()[-100:], values[-100:])
    assert plots.qq(crossed, "g", "x").axes[0].get_title(loc="left") == "x by g"


# --- all ----------------------------------------------------------------------------------------------------------


def test_fits_without_variance_are_drawn(flat: MixedFit) -> None:
    assert flat.theta.tolist() == [0.0]
    assert points(plots.caterpillar(flat).axes[0], "estimates")[:, 0].tolist() == [0.0] * 6
    assert set(points(plots.shrinkage(flat).axes[0], "partial")[:, 0]) == {float(flat.beta[0])}
    assert [ax.get_title(loc="left") for ax in plots.qq(flat).axes] == ["Residuals"]
    with pytest.raises(OptionError, match="the variance is 0"):
        plots.qq(flat, "g")
    figure = plots.mixed_residuals(flat)  # all fitted values are the same: there is no smooth line
    assert np.isnan(plots.mixed_residuals_data(flat)["mean"]).all()
    figure.canvas.draw()


@pytest.mark.parametrize("name", ["caterpillar", "shrinkage", "mixed_residuals", "qq"])
def test_figures_are_rendered_and_refuse_other_fits(name: str, crossed: MixedFit) -> None:
    draw = getattr(plots, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no overlapping layout, no missing glyph, a dollar sign is no mathematics
        draw(crossed).canvas.draw()
    for function in (draw, getattr(plots, f"{name}_data")):
        with pytest.raises(OptionError, match=rf"{name}\(\) got (a )?str"):
            function("fit")


def test_misspelt_selections_are_answered(slopes: MixedFit) -> None:
    with pytest.raises(OptionError, match=r"did you mean 'Subject'\?"):
        plots.caterpillar(slopes, "subject")
    with pytest.raises(OptionError, match=r"did you mean 'Days'\?"):
        plots.qq(slopes, effect="days")
    with pytest.raises(OptionError, match=r"did you mean 'spread'\?"):
        plots.mixed_residuals(slopes, "spred")  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="one or two random effects"):
        plots.shrinkage(slopes, effects=[])


def test_levels_without_rows_enough_cannot_be_drawn() -> None:
    rng = np.random.default_rng(6)
    data = {"y": rng.normal(size=40), "x": np.repeat(rng.normal(size=20), 2), "g": np.repeat(np.arange(20), 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lmer("y ~ x + (1 | g) + (0 + x | g)", data)
    with pytest.raises(OptionError, match="no level of g"):
        plots.shrinkage(fit)


def test_residuals_and_quantiles_of_a_generalised_model() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(20), 8)
    y = rng.poisson(np.exp(1.0 + 0.5 * rng.normal(size=20)[g]))
    fit = glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, family="poisson")
    data = plots.mixed_residuals_data(fit).set_index("row").sort_index()
    np.testing.assert_array_equal(data["fitted"], fit.linear_predictor)
    np.testing.assert_array_equal(data["residual"], fit.residuals("scaled"))
    assert plots.mixed_residuals(fit).axes[0].get_xlabel() == "Linear predictor"
    assert plots.qq_data(fit)["group"].unique().tolist() == ["g"]  # residuals of counts are not expected to be normal
    with pytest.raises(OptionError, match="Residual"):
        plots.qq(fit, "Residual")
