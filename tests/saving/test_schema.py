"""Every fit.json is what its schema says, key by key: a new key needs a description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mixsem as mx
from mixsem.report.equation_report import equation_record
from mixsem.report.generalised_report import generalised_json, generalised_results
from mixsem.report.mixed_record import mixed_json
from mixsem.report.mixed_results import mixed_results
from mixsem.report.record import json_lines
from mixsem.report.schema import fit_schema

from . import mixed_kinds
from .kinds import MAKERS

jsonschema = pytest.importorskip("jsonschema", reason="the library jsonschema is not installed")

assert mixed_kinds

FITS = (
    "mixture_fit", "mixture_selection", "mixture_with_own_regressions", "mixture_with_means", "sem_fit",
    "sem_fit_of_moments", "sem_fit_of_incomplete_rows", "sem_fit_under_constraints", "sem_fit_of_ordered_items",
    "sem_fit_with_covariates", "growth_fit", "mixed_fit", "mixed_fit_of_everything", "mixed_fit_with_residuals",
    "mixed_fit_with_penalty", "generalised_fit", "generalised_fit_of_proportions", "generalised_fit_with_dispersion",
    "generalised_fit_with_another_link",
)  # fmt: skip


def closed(schema: Any) -> Any:
    """The schema without room for keys that it does not describe."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if "properties" in found and found.get("type") in ("object", ["object", "null"]):
        found.setdefault("additionalProperties", False)
    return found


STRICT = jsonschema.Draft202012Validator(closed(fit_schema()))


def complaints(record: dict[str, Any]) -> list[str]:
    """What is wrong with a record, by its own layout."""
    layout = {"mixsem-fit": "clusters", "mixsem-sem": "sem", "mixsem-lmer": "lmer", "mixsem-glmer": "glmer"}
    part = {**STRICT.schema, "oneOf": [{"$ref": f"#/$defs/{layout[record['format']]}"}]}
    own = jsonschema.Draft202012Validator({"$defs": part["$defs"], **part["oneOf"][0]})
    return [f"{error.json_path}: {error.message}" for error in own.iter_errors(record)]


def record_of(fit: object, folder: Path) -> dict[str, Any]:
    """What fit.json holds; of clusterings as it is written, of others without drawing their pages."""
    if isinstance(fit, mx.SEMFit):
        return json.loads(json_lines(equation_record(fit)))
    if isinstance(fit, mx.MixedFit):
        return json.loads(mixed_json(mixed_results(fit)))
    if isinstance(fit, mx.GeneralisedFit):
        return json.loads(generalised_json(generalised_results(fit)))
    return json.loads(mx.save_results(fit, folder)["fit.json"].read_text(encoding="utf-8"))


def test_the_schema_is_a_schema_with_a_description_of_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(fit_schema())

    def undescribed(schema: Any, path: str) -> list[str]:
        found = []
        for key, value in schema.items() if isinstance(schema, dict) else ():
            if key == "properties":
                found += [f"{path}.{name}" for name, part in value.items() if "description" not in part]
                found += [text for name, part in value.items() for text in undescribed(part, f"{path}.{name}")]
            elif isinstance(value, dict):
                found += undescribed(value, f"{path}.{key}")
            elif isinstance(value, list):
                found += [text for part in value for text in undescribed(part, path)]
        return found

    assert undescribed(fit_schema(), "") == []


@pytest.mark.parametrize("name", FITS)
@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
def test_files_are_what_the_schema_says(name: str, tmp_path: Path) -> None:
    record = record_of(MAKERS[name](), tmp_path)
    assert complaints(record) == []
    assert STRICT.is_valid(record)


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
@pytest.mark.parametrize("name", ["bayesian_fit", "bayesian_fit_of_a_grid"])
def test_files_of_a_bayesian_step_1_are_what_the_schema_says(name: str, tmp_path: Path) -> None:
    """Clusterings of two factors whose measurement was fitted by Bayes."""
    from .kinds import LAPLACE, sample_moments

    measurement = "F1 =~ x1 + x2 + x3; F3 =~ x9 + x10 + x11"
    model = (
        mx.MLCFA(measurement, **LAPLACE)
        if name == "bayesian_fit"
        else mx.MGBCFA(measurement, prior_variance=(0.01, None), **LAPLACE)
    )
    moments = mx.factor_moments(model.fit(sample_moments(), seed=1))
    fit = mx.StructuralMixture("F3 ~ F1", k=2, n_starts=3).fit(moments, seed=1)
    record = record_of(fit, tmp_path)
    assert "priors" in record["measurement"]
    assert complaints(record) == []


def test_clusters_of_given_covariances_and_tests_of_terms(tmp_path: Path) -> None:
    Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    moments = mx.FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=range(8))
    record = record_of(mx.StructuralMixture("y ~ x", k=2, n_starts=5).fit(moments, seed=1), tmp_path)
    assert record["measurement"] is None and complaints(record) == []
    told = mixed_results(MAKERS["mixed_fit"](), anova=True, confint="profile")
    assert complaints(json.loads(mixed_json(told))) == []
    text = generalised_json(generalised_results(MAKERS["generalised_fit"](), anova=True, profile=True))
    assert complaints(json.loads(text)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"sound": 440}, "'sound' was unexpected"),
        ({"format_version": 2}, "1 was expected"),
        ({"nobs": "many"}, "is not of type 'integer'"),
        ({"search": {}}, "is a required property"),
    ],
)
def test_other_records_are_refused(change: dict[str, Any], where: str, tmp_path: Path) -> None:
    record = {**record_of(MAKERS["mixed_fit"](), tmp_path), **change}
    assert where in "\n".join(complaints(record))
