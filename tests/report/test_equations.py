"""What a structural equation model shows: its numbers, in every output."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import csv

import mixsem as mx
from mixsem.report.document import Listing, Summary
from mixsem.report.equation_report import equation_code
from mixsem.report.table import Table

MODEL = """
  visual =~ x1 + a*x2 + x3
  textual =~ x4 + x5 + x6
  speed =~ x7 + x8 + x9
  speed ~ b*visual + grade
  indirect := a*b
"""
THREE = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
SECTIONS = ("Loadings", "Regressions", "Covariances", "Intercepts and means", "Variances", "Defined parameters", "R²")


def quietly(call: object, *arguments: object, **options: object) -> mx.SEMFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **options)  # type: ignore[operator, no-any-return]


@pytest.fixture(scope="module")
def single() -> mx.SEMFit:
    """One group, robust."""
    return quietly(mx.sem, MODEL, mx.data.holzinger_swineford_1939(), estimator="MLR", meanstructure=True)


@pytest.fixture(scope="module")
def schools() -> mx.SEMFit:
    """Two groups with equal loadings and intercepts but one."""
    data = mx.data.holzinger_swineford_1939()
    options = {"group_equal": ("loadings", "intercepts"), "group_partial": "x3 ~ 1", "estimator": "MLMV"}
    return quietly(mx.cfa, THREE, data, "school", **options)


@pytest.fixture(scope="module")
def many() -> mx.SEMFit:
    """Six groups with labels that try to break out, equal loadings."""
    labels = ("<b>A</b>", "B & C", "a|b", "two\nlines", "日本国", "_x_")
    rng = np.random.default_rng(5)
    frames = []
    for g, label in enumerate(labels):
        f = rng.normal(size=150)
        x = {f"x{j}": 0.8 * f + 0.1 * g * j + rng.normal(size=150) for j in range(1, 5)}
        frames.append(pd.DataFrame({**x, "group": label}))
    return quietly(mx.cfa, "f =~ x1 + x2 + x3 + x4", pd.concat(frames), "group", group_equal="loadings")


def tables(fit: mx.SEMFit) -> dict[str, Table]:
    """The tables of a summary by their titles."""
    return {part.title: part for part in mx.summary(fit).parts if isinstance(part, Table)}


# --- the summary ------------------------------------------------------------------------------------------------


def test_the_order_is_that_of_lavaan(single: mx.SEMFit) -> None:
    parts = mx.summary(single).parts
    titles = [part.title for part in parts]
    assert titles == ["", "Test of the model", "Fit measures", *SECTIONS, "Warnings"]
    assert isinstance(parts[-1], Listing) and parts[-1].entries[0][0] == "MissingDataWarning [MX106]"


def test_the_header_says_how(single: mx.SEMFit, schools: mx.SEMFit) -> None:
    facts = dict(mx.summary(single).parts[0].entries)  # type: ignore[union-attr]
    assert facts["Estimator"].startswith("MLR; robust") and facts["People"] == "300"
    assert facts["Missing values"].startswith("1 row dropped") and facts["Converged"].startswith("yes")
    assert f"{single.measures.loglik:,.3f}" in facts["Log-likelihood"]
    facts = dict(mx.summary(schools).parts[0].entries)  # type: ignore[union-attr]
    assert facts["Equal over groups"] == "loadings, intercepts; free: x3 ~ 1"
    assert facts["People"].endswith("groups of 145 to 156 people")


def test_the_tests_are_those_of_the_fit(single: mx.SEMFit, schools: mx.SEMFit) -> None:
    for fit in (single, schools):
        frame = tables(fit)["Test of the model"].to_pandas()
        robust = fit.robust
        assert robust is not None
        assert frame["chisq"].tolist()[:4] == [
            fit.measures.chisq, robust.model.chisq, fit.measures.baseline_chisq, robust.baseline.chisq
        ]  # fmt: skip
        assert frame["scale"].tolist()[1] == robust.model.scale
        measures = tables(fit)["Fit measures"].to_pandas()
        assert measures["cfi"].tolist() == [fit.measures.cfi, robust.cfi_scaled, robust.population.cfi_robust]
    parts = frame["chisq"].tolist()[4:]
    assert len(parts) == 2 and sum(parts) == pytest.approx(schools.measures.chisq)
    assert frame["shift"].tolist()[1] == schools.robust.model.shift  # type: ignore[union-attr]


def test_parameters_of_one_group(single: mx.SEMFit) -> None:
    frame = tables(single)["Regressions"].to_pandas().set_index("parameter")
    at = single.model.names.index("speed~visual")
    assert frame.loc["speed ~ visual", "estimate"] == single.coef[at]
    assert frame.loc["speed ~ visual", "se"] == single.standard_errors[at]
    assert frame.loc["speed ~ visual", "label"] == "b"
    standardized = mx.standardized(single).query("op == '~'")["estimate"]
    np.testing.assert_allclose(frame["std"], standardized, rtol=1e-10)
    names = tables(single)["Variances"].to_pandas()["parameter"].tolist()
    assert {".x1", "visual", ".speed"} <= set(names) and "grade" not in names
    assert tables(single)["Loadings"].to_pandas().loc[0, "se"] is None or np.isnan(
        tables(single)["Loadings"].to_pandas().loc[0, "se"]
    )


def test_few_groups_stand_side_by_side(schools: mx.SEMFit) -> None:
    table = tables(schools)["Intercepts and means"]
    assert {column.group for column in table.columns} == {"", "Grant-White", "Pasteur"}
    frame = table.to_pandas().set_index("parameter")
    assert frame.loc[".x1", "estimate_1"] == frame.loc[".x1", "estimate_2"]
    assert frame.loc[".x3", "estimate_1"] != frame.loc[".x3", "estimate_2"]
    assert frame.loc["visual", "estimate_1"] == 0.0 and frame.loc["visual", "estimate_2"] != 0.0


def test_many_groups_are_summed_up(many: mx.SEMFit) -> None:
    found = tables(many)
    loadings = found["Loadings"].to_pandas()
    assert loadings["parameter"].tolist() == [f"f =~ x{j}" for j in range(1, 5)]  # each once
    varying = found["Intercepts and means"].to_pandas().set_index("parameter")
    own = mx.tidy(many).query("op == '~1' and lhs == 'x4'")
    assert varying.loc[".x4", "lowest"] == own["estimate"].min()
    assert varying.loc[".x4", "highest"] == own["estimate"].max()
    assert varying.loc[".x4", "median"] == pytest.approx(own["estimate"].median())
    assert varying.loc[".x4", "highest_in"] == " ".join(own.loc[own["estimate"].idxmax(), "group"].split())
    note = " ".join(found["Test of the model"].notes)
    worst = int(np.argmax(many.optimum.loss_per_group))
    assert " ".join(str(many.groups[worst]).split()) in note


def test_mixed_kinds_are_told_apart(schools: mx.SEMFit) -> None:
    """With many groups an item's intercept may be common while another's is not."""
    data = pd.concat([mx.data.holzinger_swineford_1939().assign(part=i) for i in range(5)])
    data["x1"] += np.random.default_rng(1).normal(scale=0.3, size=len(data))
    fit = quietly(mx.cfa, THREE, data, "part", group_equal=("loadings", "intercepts"), group_partial="x2 ~ 1")
    found = tables(fit)
    assert "x2" not in str(found["Intercepts and means equal over groups"])
    assert found["Intercepts and means that differ over groups"].to_pandas()["parameter"].tolist()[0] == ".x2"


@pytest.mark.parametrize("name", ["single", "schools", "many"])
def test_every_output_is_made(name: str, request: pytest.FixtureRequest) -> None:
    shown: Summary = mx.summary(request.getfixturevalue(name))
    assert max(map(len, shown.to_text().splitlines())) <= 130
    html = shown.to_html()
    assert "<b>A</b>" not in html
    for part in shown.parts:
        if isinstance(part, Table):
            assert part.to_latex().count(r"\\") > len(part.rows)
            assert part.to_markdown().count("\n") >= len(part.rows) + 1


def test_thresholds_of_ordered_items() -> None:
    """lavaan 0.6-14: cfa(model, data, ordered = TRUE), items cut at their quartiles."""
    data = mx.data.holzinger_swineford_1939()
    for j in range(1, 10):
        data[f"x{j}"] = pd.qcut(data[f"x{j}"], 4, labels=False)
    fit = quietly(mx.cfa, "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6", data, ordered=True, estimator="WLSMV")
    frame = tables(fit)["Thresholds"].to_pandas().set_index("parameter")
    np.testing.assert_allclose(frame["estimate"].iloc[:3], [-0.605, 0.113, 0.709], atol=6e-4)
    np.testing.assert_allclose(frame["se"].iloc[:3], [0.077, 0.073, 0.079], atol=6e-4)
    own = mx.tidy(fit).query("op == '|'")
    assert len(own) == 18 and own["estimate"].tolist() == frame["estimate"].tolist()
    assert "thresholds included" in str(mx.summary(fit))
    schools = quietly(mx.cfa, "visual =~ x1 + x2 + x3", data, "school", ordered=True, estimator="WLSMV")
    assert len(mx.tidy(schools).query("op == '|'")) == 18


# --- frames -----------------------------------------------------------------------------------------------------


def test_tidy_has_every_parameter_in_every_group(schools: mx.SEMFit) -> None:
    frame = mx.tidy(schools)
    assert len(frame) == schools.model.free.size
    assert frame["free"].sum() == (schools.model.free >= 0).sum()
    assert frame["estimate"].tolist() == schools.model.entry_values(schools.coef).ravel().tolist()
    free = frame[frame["free"]]
    np.testing.assert_allclose(free["z"], free["estimate"] / free["se"])
    np.testing.assert_allclose(free["upper"] - free["lower"], 2 * 1.959964 * free["se"], rtol=1e-6)
    assert frame.loc[~frame["free"], "se"].isna().all()


def test_tidy_ends_with_defined_parameters(single: mx.SEMFit) -> None:
    last = mx.tidy(single).iloc[-1]
    value, error = single.defined["indirect"]
    assert (last["lhs"], last["op"], last["rhs"]) == ("indirect", ":=", "a*b")
    assert (last["estimate"], last["se"]) == (value, error)
    assert mx.tidy(single).query("label == 'a'")["rhs"].tolist() == ["x2"]


def test_glance_has_the_corrected_measures(single: mx.SEMFit, many: mx.SEMFit) -> None:
    row = mx.glance(single).iloc[0]
    assert single.robust is not None
    assert row["chisq"] == single.measures.chisq and row["chisq_scaled"] == single.robust.model.chisq
    assert (
        row["rmsea_robust"] == single.robust.population.rmsea_robust and row["chisq_scale"] == single.robust.model.scale
    )
    plain = mx.glance(many).iloc[0]
    assert np.isnan(plain["chisq_scaled"]) and plain["n_groups"] == 6
    assert list(mx.glance(many).columns) == list(mx.glance(single).columns)


# --- files ------------------------------------------------------------------------------------------------------


def test_result_files(single: mx.SEMFit, tmp_path: Path) -> None:
    files = mx.save_results(single, tmp_path / "out", title="Speed <and> sight", command="mixsem sem m.txt d.csv")
    assert list(files) == ["report.html", "parameters.csv", "fit.json"]
    page = files["report.html"].read_text()
    assert "<h1>Speed &lt;and&gt; sight</h1>" in page and "mixsem sem m.txt d.csv" in page and "<svg " in page
    assert 'href="http' not in page.replace("https://doi", "")
    frame = csv.read_csv(files["parameters.csv"]).to_pandas()
    np.testing.assert_array_equal(frame["estimate"], mx.tidy(single)["estimate"])
    record = json.loads(files["fit.json"].read_text(), parse_constant=pytest.fail)
    assert record["kind"] == "sem" and record["estimator"] == "MLR" and record["n_people"] == 300
    assert record["measures"]["chisq"] == single.measures.chisq
    assert len(record["parameters"]) == len(frame) and record["warnings"][0]["name"] == "MissingDataWarning"


def test_the_code_in_the_report_repeats_the_fit(schools: mx.SEMFit) -> None:
    scope: dict[str, object] = {"data": mx.data.holzinger_swineford_1939()}
    code = equation_code(schools).replace("print(fit)", "")
    exec(compile(code, "report", "exec"), scope)
    again = scope["fit"]
    assert isinstance(again, mx.SEMFit)
    assert again.specification == schools.specification or again.measures.chisq == schools.measures.chisq
    np.testing.assert_array_equal(again.coef, schools.coef)
