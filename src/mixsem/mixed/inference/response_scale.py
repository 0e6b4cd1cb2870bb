"""Means of generalised models on the scale of the response, differences as ratios; and which scale numbers have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import OptionError
from .ddf import is_generalised
from .marginal_notes import scale_note

if TYPE_CHECKING:
    import pandas as pd

    from ..estimates import MixedEstimates

__all__ = ["Scale", "as_ratios", "on_response_scale", "require_scale", "scale_notes"]

Scale = Literal["link", "response"]

#: Links whose differences are logarithms of ratios, and of what.
RATIOS = {"log": "Ratio", "logit": "Odds ratio"}


def require_scale(type: str, slope: str | None) -> None:
    """Refuse what is no scale, or none of slopes."""
    if type not in ("link", "response"):
        raise OptionError(f"type={type!r}", allowed="'link' or 'response'")
    if type == "response" and slope is not None:
        raise OptionError(
            f"type='response' for slopes of {slope}",
            allowed="slopes of the linear predictor",
            todo="the slope of the mean differs between rows: compare means, emmeans(..., at=...)",
        )


def scale_notes(fit: MixedEstimates, type: Scale) -> tuple[str, ...]:
    """Which scale means and slopes have."""
    if not is_generalised(fit):
        return scale_note(fit.design)
    link = fit.family.link.name
    if type == "link":
        return (f"On the scale of the linear predictor ({link}), not on that of the response.",)
    return (
        f"Averaged, tested and given limits on the scale of the {link}, then transformed: means of a level whose random"
        " effects are 0, not means over levels.",
    )


def on_response_scale(fit: MixedEstimates, frame: pd.DataFrame) -> pd.DataFrame:
    """Estimates, standard errors and limits of means transformed; tests stay."""
    if not is_generalised(fit):
        return frame
    link, found = fit.family.link, frame.copy()
    eta = frame["estimate"].to_numpy(dtype=float)
    found["estimate"] = link.inverse(eta)
    found["se"] = np.abs(link.terms(eta).first) * frame["se"].to_numpy(dtype=float)
    ends = np.stack([link.inverse(frame[name].to_numpy(dtype=float)) for name in ("lower", "upper")])
    found["lower"], found["upper"] = np.sort(ends, axis=0)
    return found


def as_ratios(fit: MixedEstimates, frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Differences as ratios, where the link makes them such, and a note."""
    if not is_generalised(fit):
        return frame, ""
    link = fit.family.link.name
    if link not in RATIOS:
        return frame, f"Differences are those of the linear predictor ({link})."
    found = frame.copy()
    for name in ("estimate", "lower", "upper"):
        found[name] = np.exp(frame[name])
    found["se"] = frame["se"] * found["estimate"]
    found["contrast"] = [text.replace(" - ", " / ") for text in frame["contrast"]]
    return found, f"{RATIOS[link]}s, 1 for no difference; tests are those of their logarithms."
