"""The diagram of a whole model shows every loading and regression, and figures become SVG files that can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import mixsem as mx
from mixsem.equations.fit import SEMFit
from mixsem.errors import OptionError, OutputError
from mixsem.plots import diagram, diagram_data, paths, save_svg

SVG = "{http://www.w3.org/2000/svg}"
FACTORS = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"


@pytest.fixture(scope="module")
def cfa() -> SEMFit:
    return mx.cfa(FACTORS, mx.data.holzinger_swineford_1939(), group="school", group_equal="loadings")


@pytest.fixture(scope="module")
def sem() -> SEMFit:
    return mx.sem(f"{FACTORS}; speed ~ visual + textual", mx.data.holzinger_swineford_1939())


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_the_data_are_those_of_the_fit(cfa: SEMFit) -> None:
    data, tidy = diagram_data(cfa, "Pasteur", standardized=False), mx.tidy(cfa)
    assert data["kind"].value_counts().to_dict() == {"loading": 9, "residual": 9, "covariance": 3}
    own = tidy[(tidy["group"] == "Pasteur") & (tidy["op"] == "=~")]
    loadings = data[data["kind"] == "loading"]
    np.testing.assert_array_equal(loadings["estimate"], own["estimate"])
    assert loadings["equal"].tolist() == [False, True, True] * 3, "markers are fixed"
    standardized = diagram_data(cfa, "Pasteur")
    np.testing.assert_array_equal(standardized.loc[standardized["kind"] == "loading", "estimate"], own["std_all"])


def test_every_number_is_written(cfa: SEMFit) -> None:
    figure = diagram(cfa, residuals=True)
    assert isinstance(figure, Figure)
    data = diagram_data(cfa)
    for value in data["estimate"]:
        assert f"{value:.2f}" in texts(figure)
    assert set(cfa.factors) | set(cfa.observed) <= set(texts(figure))
    assert any(text.endswith("=") for text in texts(diagram(cfa, standardized=False)))
    assert not any(text.endswith("=") for text in texts(figure)), "standardized values of groups differ"
    assert "residual" not in {patch.get_gid() for patch in diagram(cfa).axes[0].patches}


def test_items_of_causes_stand_at_the_left(sem: SEMFit) -> None:
    at = {text.get_text(): text.get_position()[0] for text in diagram(sem).axes[0].texts}
    assert at["x1"] < at["visual"] < at["speed"] < at["x9"]
    assert at["x1"] == at["x6"] and at["visual"] == at["textual"]


def test_what_cannot_be_drawn_is_refused(cfa: SEMFit) -> None:
    observed = mx.sem("x2 ~ x1", mx.data.holzinger_swineford_1939())
    for arguments, message in (((3,), "got a int"), ((cfa, "nowhere"), "nowhere"), ((observed,), "without factors")):
        with pytest.raises(OptionError, match=message):
            diagram(*arguments)


def test_an_svg_file_has_a_name_and_text(sem: SEMFit, tmp_path: Path) -> None:
    path = save_svg(paths(sem), tmp_path / "paths.svg", title="Speed & <co>", description="speed ~ visual 0.42")
    root = ElementTree.fromstring(path.read_bytes())
    assert root.get("role") == "img" and root.get("width", "").endswith("pt")
    assert root.findtext(f"{SVG}title") == "Speed & <co>"
    assert root.findtext(f"{SVG}desc") == "speed ~ visual 0.42"
    assert "textual" in {element.text for element in root.iter(f"{SVG}text")}
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert (
        path.read_bytes()
        == save_svg(
            paths(sem), tmp_path / "again.svg", title="Speed & <co>", description="speed ~ visual 0.42"
        ).read_bytes()
    )


def test_an_svg_file_is_whole_or_not_there(sem: SEMFit, tmp_path: Path) -> None:
    figure = paths(sem)
    with pytest.raises(OutputError, match="suffix"):
        save_svg(figure, tmp_path / "paths.png", title="Paths")
    with pytest.raises(OptionError, match="title"):
        save_svg(figure, tmp_path / "paths.svg", title=" ")
    with pytest.raises(OptionError, match="Axes"):
        save_svg(figure.axes[0], tmp_path / "paths.svg", title="Paths")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
