"""Which function does what a command says. Nothing but the chosen one is imported."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import Any

__all__ = ["COMMANDS", "run_command"]

_EQUATIONS = ("equations:equation_options", "equations:run_equations")

#: Command -> what validates its arguments, without anything heavy, and what does the work.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "fit": ("options:fit_options", "commands:fit"),
    "moments": ("options:moments_options", "commands:moments"),
    "invariance": ("invariance:invariance_options", "invariance:run_invariance"),
    "cfa": _EQUATIONS,
    "sem": _EQUATIONS,
    "growth": _EQUATIONS,
    "lmer": ("lmer:lmer_options", "lmer:run_lmer"),
    "glmer": ("glmer:glmer_options", "glmer:run_glmer"),
    "power": ("power_plan:power_options", "power:run_power"),
    "study": ("study:study_action", "study:run_study_action"),
    "show": ("little:show_options", "little:show"),
    "explain": ("little:explain_options", "little:explain"),
    "schema": ("little:schema_options", "little:schema"),
    "completion": ("completion:completion_options", "completion:completion"),
    "demo": ("demo:demo_options", "demo:run_demo"),
}


def run_command(arguments: argparse.Namespace, typed: str) -> None:
    """Validate first; only then import what takes time.

    Parameters
    ----------
    arguments
        As the parser read them.
    typed
        The command as it was typed.
    """
    validate, run = COMMANDS[arguments.command]
    options = _function(validate)(arguments, typed)
    _function(run)(options)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), name)
