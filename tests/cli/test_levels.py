"""Options of the mixture on the command line: regressions of groups and factor means."""

from __future__ import annotations

import json

import pytest

import mixsem as mx
from mixsem.cli import main


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("levels")
    mx.data.simulated_survey().to_csv(folder / "survey.csv", index=False)
    measurement, structural = mx.data.survey_models()
    return [
        "fit", str(folder / "survey.csv"), "--group", "country",
        "--measurement", measurement, "--structural", structural,
        "--clusters", "2", "--starts", "5", "--out", str(folder / "out"), "--quiet",
    ]  # fmt: skip


def test_factor_means_and_regressions_of_groups(arguments):
    done = main([
        *arguments, "--equal", "loadings", "intercepts", "--meanstructure",
        "--group-specific", "trust ~ security", "trust ~ 1",
    ])  # fmt: skip
    assert done == 0
    with open(f"{arguments[arguments.index('--out') + 1]}/fit.json", encoding="utf-8") as file:
        record = json.load(file)
    assert record["settings"]["meanstructure"] is True
    assert record["settings"]["group_specific"] == ["trust ~ security", "trust ~ 1"]
    assert any(row["predictor"] == "1" and row["outcome"] == "support" for row in record["coefficients"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--meanstructure"], "--meanstructure without equal intercepts"),
        (["--group-specific", "trust ~ support"], "--group-specific names 'trust ~ support'"),
    ],
)
def test_refused(arguments, more, message, capsys):
    assert main([*arguments, *more]) == 2
    assert message in capsys.readouterr().err
