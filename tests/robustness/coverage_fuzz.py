"""Fuzzing by the branches it reaches, with atheris: ``coverage_fuzz.py models|formulas|safe [SECONDS]``.

Not collected by pytest; an input that breaks a property is printed and ends the run.
"""

from __future__ import annotations

import math
import sys

import atheris

with atheris.instrument_imports(include=["mixsem.syntax", "mixsem.mixed.formulas", "mixsem.safe_formulas"]):
    from mixsem.mixed.formulas.formula import parse_formula
    from mixsem.safe_formulas import refuse_large, refuse_unsafe
    from mixsem.syntax import measurement_table, parse_model

from mixsem.errors import MixsemError

#: What no formula that is let through may mention.
HARMFUL = ("import__(", "open(", "eval(", "exec(", "save(", "load(", ".to_", "lambda ", "getattr(")


def models(data: bytes) -> None:
    """A text is a model with finite numbers, or refused."""
    try:
        table = measurement_table(parse_model(data.decode("utf-8", "replace")), groups=("A", "B"))
    except MixsemError:
        return
    assert all(math.isfinite(value) for row in table.rows for value in row.fixed if value is not None)


def formulas(data: bytes) -> None:
    """A text is a formula that can be read again, or refused."""
    try:
        formula = parse_formula(data.decode("utf-8", "replace"))
    except MixsemError:
        return
    assert parse_formula(str(formula)).bars


def safe(data: bytes) -> None:
    """What a formula may compute calls nothing else."""
    from formulaic import Formula, SimpleFormula

    text = data.decode("utf-8", "replace")
    try:
        refuse_large(text)
    except MixsemError:
        return
    try:
        parsed = Formula(text)
    except Exception:  # as in the package: formulaic raises whatever it stumbles over
        return
    try:
        if not isinstance(parsed, SimpleFormula):
            return
        refuse_unsafe(parsed, text)
    except MixsemError:
        return
    factors = [f.expr for term in parsed for f in term.factors if not set("\"'`") & set(f.expr)]
    assert not any(word in expression for expression in factors if "(" in expression for word in HARMFUL), text


if __name__ == "__main__":
    target = {"models": models, "formulas": formulas, "safe": safe}[sys.argv[1]]
    seconds = sys.argv[2] if len(sys.argv) > 2 else "60"
    options = [
        sys.argv[0],
        *sys.argv[3:],
        f"-max_total_time={seconds}",
        "-max_len=400",
        "-timeout=10",
        "-rss_limit_mb=4000",
    ]
    atheris.Setup(options, target)
    atheris.Fuzz()
