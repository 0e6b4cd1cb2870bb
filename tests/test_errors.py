"""Errors build their text, warnings point at the user's line."""

from __future__ import annotations

import re
import warnings

import pytest

import mixsem as mx
from mixsem.errors import (
    HeywoodWarning,
    MixsemError,
    MixsemWarning,
    ModelSyntaxError,
    Notice,
    OptionError,
    did_you_mean,
    enumerate_briefly,
    notify,
)


def test_an_error_says_what_came_what_is_allowed_what_to_do():
    error = OptionError("k=0", allowed="1 or more", todo="use k=2")
    assert str(error) == "k=0\n  allowed: 1 or more\n  next: use k=2"
    assert isinstance(error, MixsemError) and isinstance(error, ValueError)
    assert str(OptionError("k=0")) == "k=0"


@pytest.mark.parametrize(("line", "column"), [("F = x1", 3), ("\tF\t= x1", 4)])
def test_the_caret_stands_below_its_place(line, column):
    shown = str(ModelSyntaxError("'='", text=f"# first\n{line}", line=2, column=column)).splitlines()
    assert shown[0] == f"line 2, column {column}: '='"
    source, marker = shown[1], shown[2]
    assert source.expandtabs().index("=") == marker.expandtabs().index("^")


def test_a_syntax_error_after_the_last_line_has_no_source():
    assert "line 9" in str(ModelSyntaxError("nothing", text="F =~ x", line=9, column=1))


def test_suggestions():
    assert did_you_mean("trsut", ["trust", "support"]) == "did you mean 'trust'?"
    assert did_you_mean("TRUST", ["trust"]) == "did you mean 'trust'?"
    assert did_you_mean("xyz", ["trust"]) == ""


def test_long_lists_are_cut_with_a_count():
    assert enumerate_briefly([1, 2, 3]) == "1, 2, 3"
    assert enumerate_briefly(list("abcdefghij")) == "a, b, c, d, e, f, g, h and 2 more"


def test_warnings_point_at_the_line_outside_the_package():
    moments = mx.SampleMoments.from_covariances({"a": [[1.0, 0.3], [0.3, 1.0]]}, n=2, items=["x", "y"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mx.MGCFA("F =~ x + 1*y").fit(moments)
    assert caught and {w.filename for w in caught} == {__file__}


def test_notices_are_plain_data():
    notice = Notice(HeywoodWarning, "x1 in b", ("b", 3))
    assert notice.to_dict() == {"name": "HeywoodWarning", "text": "x1 in b", "groups": ["b", "3"]}
    with pytest.warns(HeywoodWarning, match=r"x1 in b \[MX201\]$"):
        notify([notice])


def test_every_warning_has_an_identifier_of_its_own():
    found = [category.identifier for category in MixsemWarning.__subclasses__()]
    assert all(re.fullmatch(r"MX[1-9]\d\d", identifier) for identifier in found)
    assert len(set(found)) == len(found) > 20
    assert Notice(HeywoodWarning, "x1 in b").heading == "HeywoodWarning [MX201]"
    assert Notice(MixsemWarning, "x1 in b").heading == "MixsemWarning"


def test_a_warning_points_past_the_dispatch_of_functions():
    """`glance` and its like are dispatched by functools, which must not be taken for the user's code."""
    source = "import functools\n@functools.singledispatch\ndef judge(fit):\n    notify([fit])\n"
    package = {"__name__": "mixsem.pretended", "notify": notify}
    exec(compile(source, "pretended.py", "exec"), package)
    with pytest.warns(HeywoodWarning) as caught:
        package["judge"](Notice(HeywoodWarning, "negative"))
    assert caught[0].filename == __file__
