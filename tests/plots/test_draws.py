"""Trace and rank plots draw exactly what their twins return, and that is what the fit holds."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color

import mixsem as mx
from mixsem import plots
from mixsem.errors import OptionError
from mixsem.measurement.bayes_fit import BayesianFit
from mixsem.plots.style import cluster_color, new_figure
from mixsem.simulate import Population, draw_moments, draw_truth


@pytest.fixture(scope="module")
def fit() -> BayesianFit:
    """Six groups, two blocks; one parameter elsewhere in the first chain, two divergent draws."""
    moments = draw_moments(draw_truth(Population(n_groups=6, kind="multilevel"), seed=1), seed=1)
    model = mx.MLCFA("F1 =~ V1 + V2 + V3; F2 =~ V6 + V7 + V8", sampling=mx.Sampling(chains=3, warmup=100, draws=50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = model.fit(moments, seed=1)
    first, second = fitted.blocks
    x, diverging = second.draws.x.copy(), np.zeros((3, 50), dtype=bool)
    x[0, :, second.posterior.names.index("sd F2=~V7")] += 5.0
    diverging[1, [3, 7]] = True
    return replace(fitted, blocks=(first, replace(second, draws=replace(second.draws, x=x, diverging=diverging))))


def test_data_are_the_draws(fit: BayesianFit) -> None:
    group = fit.groups[2]
    data = plots.trace_data(fit, ["mean F1=~V2", f"F2 =~ V8 [{group}]"])
    assert list(dict.fromkeys(data["parameter"])) == ["mean F1=~V2", f"F2=~V8 [{group}]"]
    first, second = fit.blocks
    values = second.posterior.values(second.draws.x)[:, :, 2, second.posterior.model.entries.index("F2=~V8")]
    for (name, chain), rows in data.groupby(["parameter", "chain"]):
        mean = first.draws.x[chain - 1, :, first.posterior.names.index("mean F1=~V2")]
        expected = mean if name == "mean F1=~V2" else values[chain - 1]
        np.testing.assert_allclose(rows["value"], expected, rtol=1e-13)
        assert rows["draw"].tolist() == list(range(1, 51))
    assert data.loc[data["diverging"], "draw"].tolist() == [4, 8]


def test_the_worst_are_chosen(fit: BayesianFit) -> None:
    data = plots.trace_data(fit)
    assert data["parameter"].nunique() == 4
    assert data["parameter"].iloc[0] == "sd F2=~V7"
    table = mx.diagnostics(fit).parameters.set_index("name")
    for name, rows in data.groupby("parameter"):
        assert rows["rhat"].iloc[0] == pytest.approx(table.loc[name, "rhat"], abs=1e-12)


def test_a_parameter_without_group_is_that_of_all_groups(fit: BayesianFit) -> None:
    data = plots.trace_data(fit, "F1=~V2")
    assert list(dict.fromkeys(data["parameter"])) == [f"F1=~V2 [{g}]" for g in fit.groups]


def test_trace_draws_its_data(fit: BayesianFit) -> None:
    names = ["sd F2=~V7", "mean F2=~V8"]
    figure = plots.trace(fit, names)
    data = plots.trace_data(fit, names)
    assert [ax.get_title(loc="left") for ax in figure.axes] == names
    for ax, name in zip(figure.axes, names, strict=True):
        own = data[data["parameter"] == name]
        for chain, line in enumerate(ax.lines[:3], start=1):
            assert line.get_xydata().tolist() == own.loc[own["chain"] == chain, ["draw", "value"]].to_numpy().tolist()
            assert same_color(line.get_color(), cluster_color(chain))
        (ticks,) = [line for line in ax.lines if line.get_gid() == "divergent"]
        assert list(ticks.get_xdata()) == [4, 8]
        assert f"R-hat {own['rhat'].iloc[0]:.3f}" in ax.get_title(loc="right")


def test_no_ticks_without_divergences(fit: BayesianFit) -> None:
    quiet = replace(fit.blocks[0], draws=replace(fit.blocks[0].draws, diverging=np.zeros((3, 50), dtype=bool)))
    (ax,) = plots.trace(replace(fit, blocks=(quiet,)), "sd F1=~V2").axes
    assert len(ax.lines) == 3


def test_ranks_count_every_draw_once(fit: BayesianFit) -> None:
    data = plots.ranks_data(fit, ["sd F2=~V7", "mean F2=~V8"], bins=10)
    assert len(data) == 2 * 3 * 10
    for _, rows in data.groupby("parameter"):
        assert (rows.groupby("chain")["count"].sum() == 50).all()
        # The draws of all chains fill every bin alike: 150 draws, 10 bins.
        assert (rows.groupby("lower")["count"].sum() == 15).all()
        assert (rows["expected"] == 5).all()
    moved = data[(data["parameter"] == "sd F2=~V7") & (data["chain"] == 1)]
    # 50 of 150 draws, all larger than the others: the upper third of the ranks.
    assert moved.loc[moved["upper"] <= 90, "count"].sum() == 0


def test_ranks_draw_their_data(fit: BayesianFit) -> None:
    names = ["sd F2=~V7", "mean F2=~V8", "mean F1=~V2"]
    figure = plots.ranks(fit, names, bins=10)
    data = plots.ranks_data(fit, names, bins=10)
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == names
    for ax, name in zip(shown, names, strict=True):
        own = data[data["parameter"] == name]
        for chain, steps in enumerate(ax.patches, start=1):
            assert steps.get_data().values.tolist() == own.loc[own["chain"] == chain, "count"].tolist()
        assert len(ax.patches) == 3
        assert list(ax.lines[0].get_ydata()) == [5.0, 5.0]


@pytest.mark.parametrize("draw", [plots.trace, plots.ranks])
def test_drawing_into_a_figure(fit: BayesianFit, draw) -> None:
    figure = new_figure(5, 5)
    assert draw(fit, "sd F1=~V2", figure=figure) is figure
    assert figure.axes


@pytest.mark.parametrize("twin", [plots.trace_data, plots.ranks_data])
def test_unknown_parameters_are_named(fit: BayesianFit, twin) -> None:
    with pytest.raises(OptionError, match=r"(?s)no parameter 'sd F2=~V77'.*did you mean 'sd F2=~V7'"):
        twin(fit, ["sd F2=~V77"])
    with pytest.raises(OptionError, match="no parameters"):
        twin(fit, [])
    with pytest.raises(OptionError, match="got a str"):
        twin("fit")


def test_bins_are_checked(fit: BayesianFit) -> None:
    with pytest.raises(OptionError, match="bins=1"):
        plots.ranks_data(fit, bins=1)
