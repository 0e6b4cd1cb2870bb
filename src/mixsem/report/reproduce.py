"""How a clustering was made, in words for the report and as Python code that repeats it."""

from __future__ import annotations

from dataclasses import fields

from ..measurement.fit import MeasurementFit
from ..measurement.mgcfa import MGCFA
from ..structural.choice import Choice
from ..structural.mixture import StructuralMixture
from ..structural.select import MixtureSelection

__all__ = ["python_code", "settings_in_words"]


def settings_in_words(
    fits: MixtureSelection, choice: Choice, *, measurement: MeasurementFit | None, seed: int | None, source: str
) -> dict[str, str]:
    """What the report lists under "What was fitted"; what was left at its default for want of interest is not there.

    Parameters
    ----------
    fits, choice
        All fits, and which of them is shown.
    measurement
        The measurement model, if there was one.
    seed
        Seed of the random starts.
    source
        Where the data came from.
    """
    mixture = fits.fits[0].specification
    words = {"Data": source} if source else {}
    if measurement is not None:
        model = measurement.specification
        words |= {"Groups are in": measurement.moments.group} if measurement.moments.group else {}
        words["Equal over groups"] = _listed(model.equal) or "nothing"
        words |= {"Except": _listed(model.partial)} if model.partial else {}
        blocks = [block.factors for block in measurement.blocks]
        words["Measurement blocks"] = "; ".join(_listed(block) for block in blocks)
    words["Residual variances"] = {
        "group": "of each group in each cluster",
        "cluster": "of each cluster",
    }[mixture.residuals]
    words["Clusters tried"] = ", ".join(map(str, fits))
    words["Clusters shown"] = f"{choice.k}: {choice.reason}"
    words["Random starts"] = f"{mixture.n_starts:,} for each number of clusters"
    words["Seed"] = "none" if seed is None else str(seed)
    return words


def _listed(names: object) -> str:
    return names if isinstance(names, str) else ", ".join(map(str, names))  # type: ignore[call-overload]


def python_code(fits: MixtureSelection, *, measurement: MeasurementFit | None, seed: int | None) -> str:
    """Write the call of `mmgsem` that gives these fits; nothing if no such call does.

    Parameters
    ----------
    fits
        All fits.
    measurement
        The measurement model, if there was one.
    seed
        Seed of the random starts.
    """
    mixture = fits.fits[0].specification
    if measurement is None or seed is None or not isinstance(mixture.start, str):
        return ""
    model = measurement.specification
    first = {name: value for name, value in _changed(model).items() if name != "measurement"}
    third = {name: value for name, value in _changed(mixture).items() if name not in ("structural", "k")}
    if "equal" in third:
        third["equal_regressions"] = third.pop("equal")
    if not {*first, *third} <= {"equal", "partial", "blocks", "residuals", "equal_regressions", "n_starts", "start"}:
        return ""
    arguments = {"group": measurement.moments.group, "k": tuple(fits), **first, **third, "seed": seed}
    listed = "".join(f"    {name}={value!r},\n" for name, value in arguments.items() if value is not None)
    return (
        "import mixsem as mx\n\n"
        f"measurement = {_quoted(model.measurement)}\n"
        f"structural = {_quoted(mixture.structural)}\n"
        'data = ...  # a data frame with one row per person, or the moments: mx.SampleMoments.load("moments.json")\n'
        f"fits = mx.mmgsem(\n    measurement,\n    structural,\n    data,\n{listed})\n"
    )


def _quoted(text: str) -> str:
    """A text as Python writes it: over several lines, unless something in it needs escapes."""
    return repr(text) if "\\" in text or '"""' in text else f'"""\n{text.strip()}\n"""'


def _changed(specification: MGCFA | StructuralMixture) -> dict[str, object]:
    """Options that are not at their default; those without a default always."""
    values = {field.name: (getattr(specification, field.name), field.default) for field in fields(specification)}
    return {name: value for name, (value, default) in values.items() if value != default}
