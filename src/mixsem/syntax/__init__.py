"""lavaan's model syntax, and the parameter table of a measurement model.

The way of a text: `scanner` (tokens, statements), `cursor` (a place to read from), `arithmetic` and
`modifiers` (what stands before a variable), `statement` (one statement), `sem` (the whole model as a
`ModelSyntax` of `terms`). From there to the parameters of a confirmatory factor model in every group:
`support` (what such a model cannot use), `cells` (one parameter in one group, with defaults), `equality` and
`labels` (which of them are the same parameter), `table`.
"""

from __future__ import annotations

from .expression import Expression
from .sem import (
    Block,
    Constraint,
    Definition,
    ModelSyntax,
    Modifiers,
    Term,
    parse_model,
    parse_parameter,
)
from .table import ParameterTable, Row, measurement_table

__all__ = [
    "Block",
    "Constraint",
    "Definition",
    "Expression",
    "ModelSyntax",
    "Modifiers",
    "ParameterTable",
    "Row",
    "Term",
    "measurement_table",
    "parse_model",
    "parse_parameter",
]
