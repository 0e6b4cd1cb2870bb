"""Reliability diagram and memberships as is and propagated: the figures and their data."""

from __future__ import annotations

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.plots import memberships, memberships_data, reliability, reliability_data
from mixsem.structural import MixtureFit


def test_reliability_data_by_hand() -> None:
    said = np.array([0.5, 0.55, 0.62, 0.9, 0.99, 1.0])
    right = np.array([True, False, True, True, True, False])
    data = reliability_data({"a": (said, right)}, bins=2)
    assert data["n"].tolist() == [3, 3] and data["upper"].tolist() == [0.75, 1.0]
    assert data["predicted"].tolist() == pytest.approx([said[:3].mean(), said[3:].mean()])
    assert data["observed"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert (reliability_data({"a": (np.ones(5), np.ones(5, bool))})["se"] > 0).all()


def test_reliability_draws_every_curve() -> None:
    rng = np.random.default_rng(1)
    said = rng.uniform(0.5, 1, 400)
    curves = {"as is": (said, rng.random(400) < said - 0.1), "$x$": (said, rng.random(400) < said)}
    figure = reliability(curves, bins=5)
    figure.canvas.draw()
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["as is", r"\$x\$"]
    ax = figure.axes[0]
    assert reliability(curves, ax=ax) is ax


@pytest.mark.parametrize(
    "curves", [{}, {"a": ([0.5], [1, 0])}, {"a": ([], [])}, {"a": ([1.5], [1])}, {"a": ([0.5], [0.3])}]
)
def test_reliability_refuses(curves: dict[str, tuple[list[float], list[float]]]) -> None:
    with pytest.raises(OptionError):
        reliability_data(curves)  # type: ignore[arg-type]


def test_reliability_refuses_no_bins() -> None:
    with pytest.raises(OptionError, match="bins"):
        reliability_data({"a": ([0.5], [1])}, bins=0)


def test_memberships(fit: MixtureFit) -> None:
    found = mx.propagated_posterior(fit, n=50, seed=1)
    data = memberships_data(found)
    assert data["propagated"].is_monotonic_increasing and set(data["group"]) == set(fit.groups)
    figure = memberships(found)
    figure.canvas.draw()
    assert len(figure.axes[0].get_yticks()) == 8
    assert len(memberships(found, most=3).axes[0].get_yticks()) == 3
    ax = figure.axes[0]
    assert memberships(found, ax=ax) is ax
    with pytest.raises(OptionError, match="propagated_posterior"):
        memberships(fit)  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="most"):
        memberships(found, most=0)
