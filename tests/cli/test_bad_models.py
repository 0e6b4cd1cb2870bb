"""Models that cannot be read or used, one row each; `refused` in conftest.py says what each must fulfil."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., Any]
HOME = "~"
FEAR = "fear =~ f1 + f2 + f3"
TRUST = "trust =~ t1 + t2 + t3"

# what is wrong -> the text, and parts of the message besides the name of the file
SYNTAX = {
    "parenthesis left open": ("trust =~ start(0.5*t1 + t2", "line 1, column 15", "never closed"),
    "parenthesis never opened": ("trust =~ t1) + t2 + t3", "line 1, column 12"),
    "a single equals sign": ("trust = t1 + t2 + t3", "line 1, column 7", "did you mean '=~'"),
    "a single tilde short": ("trust =~ t1 + t2 + t3\nfear = f1 + f2", "line 2, column 6", "^"),
    "no right-hand side": ("trust =~", "line 1", "'=~'"),
    "no left-hand side": ("=~ t1 + t2", "line 1, column 1"),
    "operator at the end": ("trust =~ t1 + t2 +", "ends after '+'"),
    "star at the end": ("trust =~ t1 + 0.5*", "modifier"),
    "two plus signs": ("trust =~ t1 + + t2", "line 1"),
    "comma between items": ("trust =~ t1, t2, t3", "line 1"),
    "unknown modifier": ("trust =~ begin(0.5)*t1 + t2", "begin()", "start()"),
    "two operators": ("trust =~ t1 =~ t2", "second operator"),
    "two models on one line": (f"{TRUST} {FEAR}", "line 1"),
    "unknown operator": ("trust =~~ t1 + t2", "line 1"),
    "operator cut in two": ("trust = ~ t1 + t2", "line 1"),
    "a plain sentence": ("trust is measured by t1", "line 1, column 7"),
    "text left open": ('trust =~ t1 + label("a*t2 + t3', "closing quote"),
    "a number for a name": ("3 =~ t1 + t2", "'3'"),
    "a strange character": ("trust =~ t1 + t2 & t3", "'&'"),
    "only comments": ("# trust =~ t1\n! nothing\n", "empty"),
    "a modifier given twice": (f"trust =~ t1 + 1*t2 + 2*t2 + t3\n{FEAR}", "trust =~ t2"),
}

MEASUREMENT = {
    "one item, error free": (f"trust =~ t1\nt1 ~~ t1\n{FEAR}", "not identified", "trust"),
    "two items, nothing equal": (f"trust =~ t1 + t2\n{FEAR}", "not identified", "--blocks joint"),
    "a factor without a scale": (f"trust =~ 0*t1 + 0*t2 + 0*t3\n{FEAR}", "not identified"),
    "a regression": (f"{TRUST}\n{FEAR}\ntrust ~ fear", "measurement.txt, line 3", "structural model"),
    "a factor as an item": (
        "trust =~ t1 + t2 + t3\nfear =~ trust + f2 + f3",
        "measurement.txt, line 2",
        "'trust'",
    ),
    "entries for two groups": (
        f"trust =~ t1 + c(1, 1)*t2 + t3\n{FEAR}",
        "measurement.txt, line 1",
        "2 entries",
    ),
    "thresholds": (f"{TRUST}\n{FEAR}\nt1 | t1", "measurement.txt, line 3"),
    "composite": (f"trust <~ t1 + t2 + t3\n{FEAR}", "measurement.txt, line 1"),
    "only covariances": ("t1 ~~ t2",),
    "unknown item": (f"trust =~ t1 + t2 + t4\n{FEAR}", "survey.csv", "'t4'"),
    "misspelt item": (f"trust =~ t1 + t2 + tt3\n{FEAR}", "did you mean 't3'"),
    "item in the wrong case": (f"trust =~ T1 + t2 + t3\n{FEAR}", "'T1'", "did you mean 't1'"),
}

STRUCTURAL_SYNTAX = {
    "operator at the end": ("trust ~", "line 1, column 8"),
    "a single equals sign": ("trust = fear", "line 1, column 7"),
    "parenthesis left open": ("trust ~ c(1, 2*fear", "never closed"),
    "two operators": ("trust ~ fear ~ trust", "second operator"),
    "garbage": ("@@@", "line 1"),
    "misspelt factor": ("trust ~ faer", "line 1, column 9", "'faer'", "did you mean 'fear'"),
    "factor without items": ("trust ~ fear\nhope ~ fear", "line 2", "'hope'", "not a factor"),
    "an item as a factor": ("trust ~ f1", "'f1'", "not a factor"),
    "a loading": ("trust ~ fear\ntrust =~ t1", "line 2", "=~"),
    "an intercept": ("trust ~ 1 + fear", "means"),
    "a factor that predicts itself": ("trust ~ trust", "itself"),
    "a definition": ("trust ~ a*fear\nb := a^2", "line 2", ":="),
    "a constraint": ("trust ~ a*fear\na > 0", "line 2", "constraint"),
    "a block": ("group: A\ntrust ~ fear", "line 2", "block"),
    "labels per group": ("trust ~ c(a, b)*fear", "c(...)"),
    "a starting value": ("trust ~ start(0.5)*fear", "start()"),
    "exogenous and residual": ("trust ~ fear\ntrust ~~ fear", "line 2", "exogenous"),
}

STRUCTURAL = {
    "a cycle": ("trust ~ fear\nfear ~ trust", "cycle", "trust -> fear -> trust"),
    "no regression": ("trust ~~ fear", "no regression"),
}


@pytest.mark.parametrize("case", SYNTAX)
def test_measurement_that_cannot_be_read(case: str, refused: Refused) -> None:
    text, *says = SYNTAX[case]
    Path("measurement.txt").write_text(text)
    refused(["measurement model measurement.txt, line ", *says])


@pytest.mark.parametrize("case", MEASUREMENT)
def test_measurement_that_cannot_be_used(case: str, refused: Refused) -> None:
    text, *says = MEASUREMENT[case]
    Path("measurement.txt").write_text(text)
    refused(says, equal="none")


@pytest.mark.parametrize("case", STRUCTURAL_SYNTAX)
def test_structural_model_with_a_wrong_line(case: str, refused: Refused) -> None:
    text, *says = STRUCTURAL_SYNTAX[case]
    Path("structural.txt").write_text(text)
    refused(["structural model structural.txt, line ", *says])


@pytest.mark.parametrize("case", STRUCTURAL)
def test_structural_model_that_cannot_be_used(case: str, refused: Refused) -> None:
    text, *says = STRUCTURAL[case]
    Path("structural.txt").write_text(text)
    refused(says)


@pytest.mark.parametrize("kind", ["measurement", "structural"])
@pytest.mark.parametrize(("content", "says"), [(b"", "empty"), (b" \n\t\n", "empty"), (b"\xff\xfe\x00\x01", "UTF-8")])
def test_model_files_without_a_model(kind: str, content: bytes, says: str, refused: Refused) -> None:
    Path(f"{kind}.txt").write_bytes(content)
    refused([f"--{kind}", f"{kind}.txt", says])


@pytest.mark.parametrize(("argument", "says"), [("no.txt", "is no file"), (".", "folder"), ("a by b", "'~'")])
def test_models_that_are_no_file(argument: str, says: str, refused: Refused) -> None:
    refused(["--structural", repr(argument), says], structural=argument)


@pytest.mark.parametrize("kind", ["measurement", "structural"])
@pytest.mark.parametrize("argument", ["", " "])
def test_an_empty_text_is_an_empty_model(kind: str, argument: str, refused: Refused) -> None:
    refused([f"--{kind}: the model is empty", "'~'"], **{kind: argument})


@pytest.mark.parametrize(
    "argument",
    [f"{HOME}/no/model.lav", f"{HOME}nobody-here/m", "models/old~1.R", "OLDMOD~1.TXT"],
)
def test_a_path_with_a_tilde_is_no_model(argument: str, refused: Refused) -> None:
    refused([f"--measurement: {argument!r} is no file"], measurement=argument)


def test_advice_is_of_the_command_line(refused: Refused) -> None:
    Path("structural.txt").write_text("trust ~ start(0.5)*fear")
    assert "start=" not in refused(["remove the modifier"]).err


def test_a_model_on_the_command_line_is_not_called_a_file(refused: Refused) -> None:
    refused(["structural model, line 1, column 9"], structural="trust ~ faer")
