"""Recipes of mixed models: the used columns are stored, matrices and cross-products made again from the formula."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .parameters import Fields, require_parameters
from .step_recipes import chosen

if TYPE_CHECKING:
    from ..mixed.designs.design import Design, ResponseReader
    from ..mixed.engine.model import CompiledMixedModel
    from ..mixed.generalised.fit import GeneralisedFit
    from ..mixed.generalised.model import CompiledGeneralisedModel
    from ..mixed.generalised.modes import Mode
    from ..mixed.require import AnyFit
    from ..mixed.uncertainty.profile import Profile
    from ..mixed.uncertainty.profile_paths import Path

#: What the file has of a design beside its formula, of which what came as numbers replaces what the columns give.
_KEPT = ("frame", "y", "weights", "offset", "rows", "n_rows", "notices", "weights_column", "offset_column")
DESIGN = ("formula", *_KEPT, "parameters")
#: What of a mode is not made again.
_MODE = ("lam", "beta", "d", "u", "b", "eta", "score", "weight", "loglik", "move", "steps")
_POINT = ("phi", "beta", "log_d", "value", "slope")
GENERALISED = (
    *("specification", "model", "theta", "sigma", "objective", "state", "trace", "notices", "residual", "family"),
    "point",
)
_PATH = ("deviance", "step", "inverse", "lowest", "tolerance")
PROFILE = ("fit", "frame", "level", "paths", "notices", "reml")


def _design_apart(design: Design) -> Fields:
    names = (*design.fixed_names, *(name for term in design.terms for name in term.names))
    return {"formula": design.formula.text, **chosen(design, _KEPT), "parameters": names}


def _design_together(fields: Fields, response: ResponseReader | None = None) -> Design:
    """Read the columns again, as they were read first."""
    from ..mixed.designs.design import read_design

    design = read_design(
        fields["formula"],
        fields["frame"],
        fields["weights_column"],
        fields["offset_column"],
        check=False,
        extra=tuple(fields["frame"].columns),
        response=response,
    )
    made = (*design.fixed_names, *(name for term in design.terms for name in term.names))
    require_parameters(fields["parameters"], made)
    return replace(design, **{name: fields[name] for name in ("y", "weights", "offset", "rows", "n_rows", "notices")})


def model_apart(model: CompiledMixedModel) -> Fields:
    """The design, the response if it is another one, and the residuals' structure with its parameters."""
    structured = model.structured
    return {
        **_design_apart(model.design),
        "response": None if np.array_equal(model.y, _own_response(model.design)) else model.y,
        "residual": None if structured is None else structured.rows.structure,
        "eta": None if structured is None else structured.eta,
    }


def _own_response(design: Design) -> Any:
    return design.y if design.offset is None else design.y - design.offset


def model_together(fields: Fields) -> CompiledMixedModel:
    """Compile again."""
    from ..mixed.engine.model import compile_model

    model = compile_model(_design_together(fields), fields["residual"])
    if fields["response"] is not None:
        model = model.with_response(fields["response"])
    if model.structured is None:
        return model
    structured = model.structured.at(fields["eta"])
    return replace(model, products=structured.products, structured=structured)


def generalised_apart(model: CompiledGeneralisedModel) -> Fields:
    """The design and the family."""
    return {**_design_apart(model.design), "family": model.family}


def generalised_together(fields: Fields) -> CompiledGeneralisedModel:
    """Compile again."""
    from ..mixed.generalised.model import compile_generalised
    from ..mixed.generalised.responses import response_reader

    family = fields["family"]
    return compile_generalised(_design_together(fields, response_reader(family)), family)


def generalised_fit_apart(fit: GeneralisedFit) -> Fields:
    """The solution without what follows from its weights."""
    mode = fit.point.mode
    point = {**chosen(fit.point, _POINT), "mode": None if mode is None else chosen(mode, _MODE)}
    return chosen(fit, GENERALISED) | {"point": point}


def generalised_fit_together(fields: Fields) -> GeneralisedFit:
    """Factorise the system of the solution again."""
    from ..mixed.generalised.fit import GeneralisedFit
    from ..mixed.generalised.objective import Point

    point = fields["point"]
    mode = None if point["mode"] is None else _mode_together(point["mode"], fields["model"])
    return GeneralisedFit(**{**fields, "point": Point(**{**point, "mode": mode})})


def _mode_together(fields: Fields, model: CompiledGeneralisedModel) -> Mode:
    from ..mixed.engine.factor import factorise
    from ..mixed.generalised.modes import Mode

    products = model.rows.weigh(fields["weight"])
    factor = factorise(model.rows.layout, *products, fields["lam"])
    if factor is None:
        raise ValueError("the system of the mode is not positive definite")
    return Mode(products=products, factor=factor, **fields)


def profile_apart(profile: Profile) -> Fields:
    """The constrained fits; the coordinates that they are written in follow from the fit."""
    return chosen(profile, PROFILE) | {"paths": tuple(_path_apart(path) for path in profile.paths)}


def _path_apart(path: Path) -> Fields:
    center, *points = ([p.value, p.zeta, p.x] for p in (path.center, *path.points))
    return {"parameter": path.parameter.name, "center": center, "points": points, **chosen(path, _PATH)}


def profile_together(fields: Fields) -> Profile:
    """Go on from the constrained fits."""
    from ..mixed.uncertainty.profile import Profile

    paths = tuple(_path_together(path, fields["fit"]) for path in fields["paths"])
    return Profile(**{**fields, "paths": paths})


def _path_together(fields: Fields, fit: AnyFit) -> Path:
    from ..mixed.fit import MixedFit
    from ..mixed.uncertainty.generalised_coordinates import generalised_coordinates
    from ..mixed.uncertainty.parameters import parameters_of
    from ..mixed.uncertainty.profile_coordinates import coordinates
    from ..mixed.uncertainty.profile_paths import Path, Point

    parameter = {p.name: p for p in parameters_of(fit.model)}[fields["parameter"]]
    places = (
        coordinates(fit.model, parameter, fit.theta)
        if isinstance(fit, MixedFit)
        else generalised_coordinates(fit, parameter)
    )
    points = [Point(*point) for point in fields["points"]]
    return Path(places, Point(*fields["center"]), points=points, **{name: fields[name] for name in _PATH})
