"""Compiling structural models: what is used, in which order, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.errors import ModelError, OptionError, UnsupportedModelError
from mixsem.structural.path_model import compile_structural

FACTORS = ("F1", "F2", "F3", "F4", "F5")


def test_order_of_lines_and_terms_changes_nothing():
    one = compile_structural("F3 ~ F1 + F2\nF4 ~ F1 + F3", FACTORS)
    other = compile_structural("F4 ~ F3 + F1\nF3 ~ F2\nF3 ~ F1", FACTORS)
    assert one.names == other.names == ("F3~F1", "F3~F2", "F4~F1", "F4~F3")
    assert one.blocks == other.blocks == ((2,), (3,))
    assert one.factors == ("F1", "F2", "F3", "F4") and one.exogenous == (0, 1)


def test_counts_of_parameters():
    path = compile_structural("F3 ~ F1 + F2; F4 ~ F1 + F3", FACTORS)
    assert path.n_exogenous_parameters == 3
    assert path.n_residual_parameters == 2
    assert [path.n_regressions(k) for k in (1, 4)] == [4, 16]


def test_pure_outcomes_covary_by_default_and_on_request_only_otherwise():
    assert compile_structural("F3 + F4 ~ F1", FACTORS).blocks == ((1, 2),)
    assert compile_structural("F3 + F4 ~ F1; F3 ~~ 0*F4", FACTORS).blocks == ((1,), (2,))
    mediators = "F2 + F3 ~ F1; F4 ~ F2 + F3"
    assert compile_structural(mediators, FACTORS).blocks == ((1,), (2,), (3,))
    assert compile_structural(mediators + "; F2 ~~ F3", FACTORS).blocks == ((1, 2), (3,))


def test_blocks_come_in_causal_order():
    path = compile_structural("F1 ~ F2; F2 ~ F3; F3 ~ F4", FACTORS)
    assert [path.factors[b[0]] for b in path.blocks] == ["F3", "F2", "F1"]


def test_residuals_may_covary_across_causal_depth():
    """F5 hangs on F3, F2 does not, and their residuals covary: one block after F3."""
    path = compile_structural("F2 + F3 ~ F1; F4 ~ F2; F5 ~ F3; F4 ~~ 0*F5; F2 ~~ F5", FACTORS)
    assert path.blocks == ((2,), (1, 4), (3,))


def test_fixed_values_labels_and_equal():
    path = compile_structural("F3 ~ 0.5*F1 + a*F2; F4 ~ F1 + F3", FACTORS, equal=("F4 ~ F3",))
    np.testing.assert_array_equal(np.isnan(path.fixed), [False, True, True, True])
    assert path.slot.tolist() == [-1, 0, 1, 2]
    assert path.equal.tolist() == [True, False, True]
    assert path.n_regressions(3) == 3 + 2


def test_one_label_on_two_regressions_makes_them_one_coefficient():
    path = compile_structural("F3 ~ a*F1 + a*F2", FACTORS)
    assert path.slot.tolist() == [0, 0] and path.equal.tolist() == [True]


REFUSED = [
    ("F3 ~ F1; F1 ~ F3", UnsupportedModelError, r"cycle: F1 -> F3 -> F1"),
    ("F2 ~ F1; F3 ~ F2; F1 ~ F3", UnsupportedModelError, "cycle"),
    ("F2 ~ F1; F3 ~ F2; F2 ~~ F3", UnsupportedModelError, "residuals covary"),
    ("F2 + F3 ~ F1; F4 ~ F2; F5 ~ F3; F4 ~~ 0*F5; F2 ~~ F5; F3 ~~ F4", UnsupportedModelError, "cycle"),
    ("F3 ~ F3", ModelError, "cannot predict itself"),
    ("F3 ~ F9", ModelError, r"column 6: 'F9'.*not a factor"),
    ("F3 ~ f1", ModelError, r"did you mean 'F1'"),
    ("F1 ~~ F2", ModelError, "no regression"),
    ("F3 ~ F1; F2 ~~ F2", ModelError, "F2 is in no regression"),
    ("F3 ~ F1 + F2; F1 ~~ 0*F2", UnsupportedModelError, "fixes a"),
    ("F3 ~ F1; F3 ~~ 0.5*F3", UnsupportedModelError, "fixes a"),
    ("F3 ~ F1; F1 ~~ F3", UnsupportedModelError, "exogenous factor and a residual"),
    ("F3 ~ F1; F3 ~~ v*F3", UnsupportedModelError, "label"),
    ("F3 + F4 + F5 ~ F1; F3 ~~ 0*F4", UnsupportedModelError, "but not F3 ~~ F4"),
    ("F3 =~ x1 + x2", UnsupportedModelError, "belongs to the measurement model"),
    ("F3 ~ 1", UnsupportedModelError, "means are not part"),
    ("F3 ~ c(1,2)*F1", UnsupportedModelError, "one entry per group"),
    ("F3 ~ start(0.5)*F1", UnsupportedModelError, r"start\(\)"),
    ("F3 ~ prior('normal(0,1)')*F1", UnsupportedModelError, r"prior\(\)"),
    ("F3 ~ a*F1; ab := a*a", UnsupportedModelError, "'ab :='"),
    ("F3 ~ a*F1 + b*F2; a == b", UnsupportedModelError, "constraint with '=='"),
    ("F3 ~ a*F1; a > 0", UnsupportedModelError, "constraint with '>'"),
    ("group: A\nF3 ~ F1", UnsupportedModelError, "block 'group: A'"),
]


@pytest.mark.parametrize(("text", "error", "message"), REFUSED)
def test_refused_by_name(text, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        compile_structural(text, FACTORS)


def test_equal_names_unknown_regression():
    with pytest.raises(OptionError, match="did you mean 'F3 ~ F1'"):
        compile_structural("F3 ~ F1", FACTORS, equal=("F3 ~ F11",))
