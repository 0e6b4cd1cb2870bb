"""The figures of studies draw what their twins return, and these are means of the results."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixsem import plots
from mixsem.errors import OptionError
from mixsem.plots.study_rows import StudyLike

SIZES, BETAS, SAMPLES = (50, 100, 200), (0.2, 0.4), ("fixed", "random")


def results(leave: tuple[tuple[int, float, str], ...] = ()) -> StudyLike:
    """Two replications per cell; a method whose ARI is known from its cell, and one without ARI."""
    rows = []
    for cell, (size, beta, sample) in enumerate(itertools.product(SIZES, BETAS, SAMPLES)):
        if (size, beta, sample) in leave:
            continue
        for replication, method in itertools.product((1, 2), ("first", "ml-sem")):
            mixture = method == "first"
            base = beta + size / 1000 + (sample == "fixed") / 10
            rows.append(
                {
                    "cell": cell, "replication": replication, "method": method, "variant": "",
                    "group_size": size, "beta": beta, "sample": sample, "status": "done",
                    "ari": base + 0.02 * (replication - 1.5) if mixture else np.nan,
                    "rmse[F4~F1]": 0.1 if mixture else 0.3,
                    "k_bic_g": float(replication + 1) if mixture else np.nan,
                    "k_chull": np.nan if replication == 1 else 2.0 if mixture else np.nan,
                }
            )  # fmt: skip
    study = SimpleNamespace(
        factors={"group_size": SIZES, "beta": BETAS, "sample": SAMPLES}, population=SimpleNamespace(n_clusters=2)
    )
    return SimpleNamespace(study=study, frame=pd.DataFrame(rows))


def prior_results() -> StudyLike:
    """Loadings are missed by the distance of the prior from the truth; one combination was not run."""
    rows = [
        {
            "method": "mixmg-bsem", "variant": f"{prior:g}", "loading_variance": truth, "status": "done",
            "rmse_loading[V2]": 0.05 + abs(truth - prior), "rmse_loading[V3]": 0.07 + abs(truth - prior),
            "ari": truth + 10 * prior,
        }
        for truth, prior in itertools.product((0.01, 0.1), repeat=2) if (truth, prior) != (0.1, 0.01)
    ]  # fmt: skip
    return SimpleNamespace(
        study=SimpleNamespace(factors={"loading_variance": (0.01, 0.1)}, population=None), frame=pd.DataFrame(rows)
    )


def drawn(ax: Axes, name: str) -> np.ndarray:
    """Heights of one line, NaN where it is broken."""
    (line,) = (one for one in ax.lines if one.get_gid() == f"line {name}")
    return np.asarray(line.get_ydata(), dtype=float)


# --- interactions -----------------------------------------------------------------------------------------------


def test_interactions_data() -> None:
    data = plots.study_interactions_data(results(), x="group_size", line="beta", panel="sample")
    assert len(data) == 12
    row = data[(data["group_size"] == 100) & (data["beta"] == 0.4) & (data["sample"] == "fixed")].iloc[0]
    assert (row["x"], row["line"], row["panel"], row["row"], row["n"]) == ("100", "0.4", "Samples: fixed", "", 2)
    assert row["mean"] == pytest.approx(0.6)
    assert row["sd"] == pytest.approx(0.02 / np.sqrt(2))
    assert row["se"] == pytest.approx(0.01)


def test_interactions_average_over_what_is_not_drawn() -> None:
    data = plots.study_interactions_data(results(), x="group_size", line=())
    assert data["mean"].tolist() == pytest.approx([0.3 + size / 1000 + 0.05 for size in SIZES])
    assert data["n"].tolist() == [8, 8, 8] and set(data["line"]) == {""}


def test_factors_by_default() -> None:
    data = plots.study_interactions_data(results())
    assert data["x"].tolist() == ["50", "100", "200"] * 2
    assert data["line"].tolist() == ["0.2"] * 3 + ["0.4"] * 3
    other = plots.study_interactions_data(results(), x="beta")
    assert other["line"].tolist() == ["50"] * 2 + ["100"] * 2 + ["200"] * 2


def test_lines_of_two_factors() -> None:
    data = plots.study_interactions_data(results(), x="group_size", line=("beta", "sample"))
    assert list(dict.fromkeys(data["line"])) == ["0.2 – fixed", "0.2 – random", "0.4 – fixed", "0.4 – random"]


def test_right_number_of_clusters() -> None:
    def share(measure: str) -> list[float]:
        return plots.study_interactions_data(results(), measure, x="sample", line=())["mean"].tolist()

    # The true number is that of the population, 2: chosen in one replication of two, or none chosen in the other.
    assert share("correct[bic_g]") == [0.5, 0.5]
    assert share("correct[chull]") == [0.5, 0.5]
    crossed = results()
    crossed.frame["n_clusters"] = 3
    assert plots.study_interactions_data(crossed, "correct[bic_g]", x="sample", line=())["mean"].tolist() == [0.5, 0.5]
    assert plots.study_interactions_data(crossed, "correct[chull]", x="sample", line=())["mean"].tolist() == [0.0, 0.0]


def test_method() -> None:
    assert set(plots.study_interactions_data(results(), "rmse[F4~F1]")["mean"].round(9)) == {0.1}
    assert set(plots.study_interactions_data(results(), "rmse[F4~F1]", method="ml-sem")["mean"].round(9)) == {0.3}
    with pytest.raises(OptionError, match="by the method 'ml-sem'"):
        plots.study_interactions_data(results(), "ari", method="ml-sem")


def test_true_prior_by_default() -> None:
    data = plots.study_interactions_data(prior_results())
    assert data["mean"].tolist() == pytest.approx([0.11, 1.1]) and data["n"].tolist() == [1, 1]
    narrow = plots.study_interactions_data(prior_results(), variant="0.01")
    assert narrow["mean"].tolist() == pytest.approx([0.11]) and narrow["x"].tolist() == ["0.01"]
    with pytest.raises(OptionError, match=r"no variant '0\.5'"):
        plots.study_interactions_data(prior_results(), variant="0.5")


def test_figure_draws_its_data() -> None:
    found = results()
    figure = plots.study_interactions(found, x="group_size", line="beta", row="sample")
    assert isinstance(figure, Figure) and len(figure.axes) == 2
    data = plots.study_interactions_data(found, x="group_size", line="beta", row="sample")
    for ax, sample in zip(figure.axes, SAMPLES, strict=True):
        assert [t.get_text() for t in ax.texts] == [f"Samples: {sample}"]
        for number, beta in enumerate(BETAS):
            own = data[(data["sample"] == sample) & (data["beta"] == beta)]
            np.testing.assert_allclose(drawn(ax, str(beta)), own["mean"])
            bars = np.asarray(ax.containers[number].lines[2][0].get_segments())  # type: ignore[attr-defined]
            np.testing.assert_allclose(bars[:, 1, 1] - bars[:, 0, 1], 2 * 1.96 * own["se"])
    assert [t.get_text() for t in figure.axes[1].get_xticklabels()] == ["50", "100", "200"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["0.2", "0.4"] and legend.get_title().get_text() == "β"


def test_gaps_are_gaps() -> None:
    left = tuple((100, 0.2, sample) for sample in SAMPLES)
    figure = plots.study_interactions(results(left), x="group_size", line="beta", panel="sample")
    for ax in figure.axes:
        assert np.isnan(drawn(ax, "0.2")).tolist() == [False, True, False]
        assert not np.isnan(drawn(ax, "0.4")).any()
    whole = tuple(itertools.product(SIZES, BETAS, ("fixed",)))
    # A level of which nothing was run has no panel, one without a line no place in the legend; the order stays.
    figure = plots.study_interactions(results(whole), x="group_size", line="beta", panel="sample")
    assert [ax.get_title() for ax in figure.axes] == ["Samples: random"]
    figure = plots.study_interactions(
        results((*itertools.product(SIZES, (0.2,), ("fixed",)),)), x="group_size", line="sample", panel="beta"
    )
    assert [ax.get_title() for ax in figure.axes] == ["β: 0.2", "β: 0.4"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["fixed", "random"]


def test_one_data_set_has_no_bar() -> None:
    found = results()
    found = SimpleNamespace(study=found.study, frame=found.frame[found.frame["replication"] == 1])
    data = plots.study_interactions_data(found, x="group_size", line=("beta", "sample"))
    assert data["n"].eq(1).all() and data["se"].isna().all() and data["mean"].notna().all()
    plots.study_interactions(found, x="group_size", line=("beta", "sample")).canvas.draw()


def test_limits_stay_where_values_can_be() -> None:
    share = plots.study_interactions(results(), "correct[bic_g]", x="group_size", line="beta", panel="sample").axes[0]
    low, high = share.get_ylim()
    # Two data sets, one right: an interval from below 0 to above 1.
    assert -0.05 < low < 0 and 1 < high < 1.05
    bias = plots.study_interactions(results(), "rmse[F4~F1]", x="group_size", line="beta").axes[0]
    assert bias.get_ylim()[0] > 0


def test_draws_into_a_given_figure() -> None:
    figure = Figure()
    assert plots.study_interactions(results(), figure=figure) is figure
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "arii"}, "no measure 'arii'"),
        ({"x": "betta"}, "no factor of the study"),
        ({"x": "beta", "line": "beta"}, "two places"),
        ({"panel": ("group_size", "beta", "sample")}, "no factor is left"),
    ],
)
def test_refuses(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        plots.study_interactions(results(), **options)  # type: ignore[arg-type]


def test_needs_results() -> None:
    with pytest.raises(OptionError, match="got a str"):
        plots.study_interactions("folder")  # type: ignore[arg-type]
    empty = SimpleNamespace(study=results().study, frame=pd.DataFrame(columns=["cell", "method", "variant", "status"]))
    with pytest.raises(OptionError, match="no measure"):
        plots.study_interactions(empty)


# --- prior variances --------------------------------------------------------------------------------------------


def test_priors_data() -> None:
    data = plots.study_priors_data(prior_results())
    assert data[["loading_variance", "prior_variance"]].to_numpy().tolist() == [[0.01, 0.01], [0.01, 0.1], [0.1, 0.1]]
    assert data["mean"].tolist() == pytest.approx([0.06, 0.15, 0.06])
    assert data["difference"].tolist() == pytest.approx([0.0, 0.09, 0.0])


def test_priors_without_the_true_one_have_no_difference() -> None:
    narrow = prior_results().frame.query("variant == '0.01'").assign(loading_variance=0.1)
    found = SimpleNamespace(study=prior_results().study, frame=narrow)
    data = plots.study_priors_data(found)
    assert data["difference"].isna().all() and data["mean"].notna().all()
    plots.study_priors(found).canvas.draw()


def test_priors_figure() -> None:
    figure = plots.study_priors(prior_results())
    ax = figure.axes[0]
    assert sorted(t.get_text() for t in ax.texts) == ["0.060", "0.060", "0.150"]
    shown = ax.images[0].get_array()
    assert shown is not None
    shade = np.ma.filled(shown, np.nan)
    np.testing.assert_allclose(shade, [[0.0, 0.09], [np.nan, 0.0]])
    assert [line.get_gid() for line in ax.lines] == ["true 0", "true 1"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0.01", "0.1"]
    given = Figure().add_subplot()
    assert plots.study_priors(prior_results(), ax=given) is given


def test_priors_need_variants() -> None:
    with pytest.raises(OptionError, match="no prior variances"):
        plots.study_priors(results(), "ari")


# --- beside published means ------------------------------------------------------------------------------------


def levels() -> pd.DataFrame:
    """Two measures of three levels and the total; one level has no published mean."""
    rows = [
        ("beta", 0.2, 0.5, 0.02, 0.4, 0.01),
        ("beta", 0.4, 0.9, 0.01, 0.95, 0.001),
        ("sample", "fixed", 0.8, 0.03, np.nan, np.nan),
        (None, None, 0.7, 0.01, 0.68, 0.002),
    ]
    return pd.DataFrame(
        [
            dict(zip(("measure", "factor", "level", "mean", "se", "paper_mean", "paper_se"), (m, *r), strict=True))
            for m in ("ari", "bias[F4~F1]")
            for r in rows
        ]
    )


def test_scatter_data() -> None:
    data = plots.study_scatter_data(levels())
    assert data["factor"].tolist() == ["beta", "beta", ""] * 2
    assert data["level"].tolist() == ["0.2", "0.4", ""] * 2
    assert data["mean"].tolist() == [0.5, 0.9, 0.7] * 2 and data["paper_mean"].tolist() == [0.4, 0.95, 0.68] * 2


def test_scatter_draws_its_data() -> None:
    figure = plots.study_scatter(levels())
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["ARI", "Bias of β1"]
    ax = shown[0]
    lines = {line.get_gid(): np.asarray(line.get_xydata()).tolist() for line in ax.lines}
    assert lines["means beta"] == [[0.4, 0.5], [0.95, 0.9]] and lines["means "] == [[0.68, 0.7]]
    across, up, *_ = (np.asarray(line.get_xydata()) for line in ax.lines if line.get_gid() == "bars")
    np.testing.assert_allclose(np.diff(across[:, 0])[::3], [2 * 1.96 * 0.01, 2 * 1.96 * 0.001])
    np.testing.assert_allclose(np.diff(up[:, 1])[::3], [2 * 1.96 * 0.02, 2 * 1.96 * 0.01])
    assert np.isnan(across[2::3]).all() and np.isnan(up[2::3]).all()
    (diagonal,) = (line for line in ax.lines if line.get_gid() == "diagonal")
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["β", "All"]


def test_scatter_refuses() -> None:
    with pytest.raises(OptionError, match="without measure, factor"):
        plots.study_scatter(results())  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no mean has a published one"):
        plots.study_scatter(levels().assign(paper_mean=np.nan))
