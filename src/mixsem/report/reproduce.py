"""How a clustering was made, in words for the report and as Python code that repeats it."""

from __future__ import annotations

from dataclasses import fields

from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..measurement.mgcfa import MGCFA
from ..structural.choice import Choice
from ..structural.mixture import StructuralMixture
from ..structural.select import MixtureSelection
from .bayesian_record import bayesian_arguments
from .bayesian_words import bayesian_facts, variation_words

__all__ = ["python_code", "settings_in_words"]

#: Names of items on a line of code.
PER_LINE = 6


def settings_in_words(
    fits: MixtureSelection,
    choice: Choice,
    *,
    measurement: MeasurementFit | BayesianFit | None,
    min_size: int | None,
    source: str,
) -> dict[str, str]:
    """What the report lists under "What was fitted"; what was left at its default for want of interest is not there.

    Parameters
    ----------
    fits, choice
        All fits, and which of them is shown.
    measurement
        The measurement model, if there was one.
    min_size
        Smallest group that was kept when the data were read.
    source
        Where the data came from.
    """
    mixture = fits.fits[0].specification
    words = {"Data": source} if source else {}
    if measurement is not None:
        words |= {"Groups are in": measurement.moments.group} if measurement.moments.group else {}
    if min_size is not None:
        incomplete = measurement is not None and measurement.moments.missing != "listwise"
        kind = "rows with an answer" if incomplete else "complete rows"
        words["Smallest group"] = f"{min_size:,} {kind}; smaller groups were left out"
    if measurement is not None:
        words |= _missing_words(measurement)
        words |= _differences(measurement)
        blocks = [block.factors for block in measurement.blocks]
        words["Measurement blocks"] = "; ".join(_listed(block) for block in blocks)
    words["Residual variances"] = {
        "group": "of each group in each cluster",
        "cluster": "of each cluster",
    }[mixture.residuals]
    words["Clusters tried"] = ", ".join(map(str, fits))
    words["Clusters shown"] = f"{choice.k}: {choice.reason}"
    words["Random starts"] = _starts(fits)
    words["Seed"] = _seeds(fits, measurement)
    return words


def _missing_words(measurement: MeasurementFit | BayesianFit) -> dict[str, str]:
    """How incomplete rows were used, if they were."""
    if measurement.moments.missing == "listwise":
        return {}
    if measurement.moments.missing == "pairwise":
        return {"Missing values": "each covariance from the rows with both items (pairwise deletion)"}
    return {"Missing values": "means and covariances estimated from all answers (maximum likelihood)"}


def _differences(measurement: MeasurementFit | BayesianFit) -> dict[str, str]:
    """What may differ between groups, and how that was estimated."""
    if isinstance(measurement, BayesianFit):
        own = dict(bayesian_facts(measurement))
        names = [name for name, _ in variation_words(measurement)]
        return {name: own[name] for name in (*names, "Priors", "Posterior")}
    model = measurement.specification
    words = {"Equal over groups": _listed(model.equal) or "nothing"}
    return words | ({"Except": _listed(model.partial)} if model.partial else {})


def _starts(fits: MixtureSelection) -> str:
    """Where the iterations began, as it was done: one cluster and a given partition leave nothing to chance."""
    mixture = fits.fits[0].specification
    if list(fits) == [1]:
        return "none: one cluster needs none"
    if not isinstance(mixture.start, str):
        return "none: a partition was given to start from"
    return f"{mixture.n_starts:,} for each number of clusters" + (" above 1" if 1 in fits else "")


def _seeds(fits: MixtureSelection, measurement: MeasurementFit | BayesianFit | None) -> str:
    """The seed of random starts, and of draws where it is another one."""
    starts = fits.fits[0].starts.seed
    draws = measurement.seed if isinstance(measurement, BayesianFit) else starts
    said = {seed: "none was given" if seed is None else str(seed) for seed in (starts, draws)}
    return said[starts] if draws == starts else f"of the draws: {said[draws]}; of the random starts: {said[starts]}"


def _listed(names: object) -> str:
    return names if isinstance(names, str) else ", ".join(map(str, names))  # type: ignore[call-overload]


def python_code(
    fits: MixtureSelection, *, measurement: MeasurementFit | BayesianFit | None, min_size: int | None
) -> str:
    """Write the call of `mmgsem`, `mixml_sem` or `mixmg_bsem` that gives these fits; nothing if no such call does.

    Parameters
    ----------
    fits
        All fits.
    measurement
        The measurement model, if there was one.
    min_size
        Smallest group that was kept when the data were read.
    """
    mixture = fits.fits[0].specification
    if measurement is None or not isinstance(mixture.start, str):
        return ""
    model, seed = measurement.specification, fits.fits[0].starts.seed
    if isinstance(measurement, BayesianFit) and measurement.seed != seed:
        return ""  # those functions take one seed
    first = _step1_arguments(measurement)
    third = {name: repr(value) for name, value in _changed(mixture).items() if name not in ("structural", "k")}
    if "equal" in third:
        third["equal_regressions"] = third.pop("equal")
    allowed = {"residuals", "equal_regressions", "group_specific", "meanstructure", "n_starts", "start"}
    if first is None or not set(third) <= allowed:
        return ""
    sized = min_size is not None and measurement.moments.group is not None
    group = None if sized else measurement.moments.group
    named = {} if group is None else {"group": repr(group)}
    arguments = {**named, "k": repr(tuple(fits)), **first, **third, **({} if seed is None else {"seed": repr(seed)})}
    listed = "".join(f"    {name}={value},\n" for name, value in arguments.items())
    drawn = "draws and random starts" if isinstance(measurement, BayesianFit) else "random starts"
    listed += "" if seed is not None else f"    # seed=...: none was given, so other {drawn} are drawn\n"
    function = "mmgsem" if isinstance(measurement, MeasurementFit) else measurement.method.replace("-", "_")
    return (
        "import mixsem as mx\n\n"
        f"measurement = {_quoted(model.measurement)}\n"
        f"structural = {_quoted(mixture.structural)}\n"
        f"{_reading(measurement, min_size)}"
        f"fits = mx.{function}(\n    measurement,\n    structural,\n    {'moments' if sized else 'data'},\n{listed})\n"
    )


def _step1_arguments(measurement: MeasurementFit | BayesianFit) -> dict[str, str] | None:
    """Options of step 1 that are not at their default, as code; None if the method's function does not take them."""
    if isinstance(measurement, BayesianFit):
        return bayesian_arguments(measurement)
    own = {name: repr(value) for name, value in _changed(measurement.specification).items() if name != "measurement"}
    return own if set(own) <= {"equal", "partial", "blocks", "missing", "ordered"} else None


def _reading(measurement: MeasurementFit | BayesianFit, min_size: int | None) -> str:
    """Where the data come from; only moments can leave out small groups."""
    group, items = measurement.moments.group, measurement.items
    if group is None and len(measurement.groups) > 1:
        return 'data = ...  # the moments: mx.SampleMoments.load("moments.json")\n'
    if min_size is None or group is None:
        return (
            "data = ...  # a data frame with one row per person, or the moments:"
            ' mx.SampleMoments.load("moments.json")\n'
        )
    ordered = getattr(measurement.specification, "ordered", ())
    if ordered:
        return (
            f"items = {list(items)!r}\n"
            "data = ...  # a data frame with one row per person\n"
            f"moments = mx.data.OrdinalMoments.from_frame(data, items, {group!r}, ordered={ordered!r},"
            f" min_size={min_size})\n"
        )
    missing = "" if measurement.moments.missing == "listwise" else f", missing={measurement.moments.missing!r}"
    rows = (items[i : i + PER_LINE] for i in range(0, len(items), PER_LINE))
    listed = "".join(f"    {', '.join(map(repr, row))},\n" for row in rows)
    return (
        f"items = [\n{listed}]\n"
        "data = ...  # a data frame with one row per person\n"
        f"moments = mx.SampleMoments.from_frame(data, items, {group!r}, min_size={min_size}{missing})\n"
        '# or the moments that were fitted: moments = mx.SampleMoments.load("moments.json")\n'
    )


def _quoted(text: str) -> str:
    """A text as Python writes it: over several lines, unless something in it needs escapes."""
    return repr(text) if "\\" in text or '"""' in text else f'"""\n{text.strip()}\n"""'


def _changed(specification: MGCFA | StructuralMixture) -> dict[str, object]:
    """Options that are not at their default; those without a default always."""
    values = {field.name: (getattr(specification, field.name), field.default) for field in fields(specification)}
    return {name: value for name, (value, default) in values.items() if value != default}
