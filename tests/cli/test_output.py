"""What comes out of every command: JSON, files to load, exit codes, completion; and that the page says it all."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mixsem as mx
from mixsem.cli import dispatch
from mixsem.cli.completion import SHELLS
from mixsem.cli.parser import build_parser

from .conftest import Outcome, fit_arguments

Run = Callable[..., Outcome]
PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"

FIT = fit_arguments("survey.csv", clusters="2", starts="3")
SEM = ("cfa", "trust =~ t1 + t2 + t3", "survey.csv")
LMER = ("lmer", "t1 ~ f1 + (1 | country)", "survey.csv")
GLMER = ("glmer", "high ~ f1 + (1 | country)", "survey.csv", "--family", "binomial")

#: A command that can be run, for each.
COMMANDS: dict[str, tuple[str, ...]] = {
    "fit": tuple(FIT),
    "moments": ("moments", "survey.csv", "--group", "country", "--items", "t1,t2", "--out", "moments.json"),
    "invariance": ("invariance", "survey.csv", "--group", "country", "--measurement", "trust =~ t1 + t2 + t3"),
    "cfa": SEM,
    "sem": ("sem", *SEM[1:]),
    "growth": ("growth", "i =~ 1*t1 + 1*t2 + 1*t3; s =~ 0*t1 + 1*t2 + 2*t3", "survey.csv"),
    "lmer": LMER,
    "glmer": GLMER,
    "power": ("power", "--groups", "12", "--sizes", "30", "--replications", "1", "--starts", "2", "--workers", "1"),
    "explain": ("explain", "MX101"),
    "show": ("show", "fit.mixsem"),
    "schema": ("schema",),
    "completion": ("completion", "bash"),
    "demo": ("demo",),
    "study": ("study", "show", "mixml-1"),
}


@pytest.fixture
def survey_with_answers(folder: Path, survey) -> None:
    survey.assign(high=(survey["t1"] > 0).astype(int)).to_csv("survey.csv", index=False)


def one_document(text: str) -> dict[str, object]:
    """The JSON that the text is, and nothing else."""
    found, end = json.JSONDecoder().raw_decode(text)
    assert text[end:] == "\n"
    assert isinstance(found, dict)
    return found


# --- JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("fit", "mixsem-fit"), ("cfa", "mixsem-sem"), ("sem", "mixsem-sem"), ("growth", "mixsem-sem"),
        ("lmer", "mixsem-lmer"), ("glmer", "mixsem-glmer"), ("invariance", "mixsem-invariance"),
        ("moments", "mixsem-moments-account"), ("power", "mixsem-power"), ("explain", "mixsem-message"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("survey_with_answers")
def test_json_is_one_document(run: Run, command: str, kind: str) -> None:
    done = run(*COMMANDS[command], "--json")
    assert done.code == 0, done.err
    found = one_document(done.out)
    assert found["format"] == kind
    assert found["format_version"] == 1


@pytest.mark.parametrize("command", ["cfa", "lmer", "glmer"])
@pytest.mark.usefixtures("survey_with_answers")
def test_json_is_what_the_folder_has(run: Run, command: str) -> None:
    done = run(*COMMANDS[command], "--json", "--out", "out")
    assert done.out == Path("out/fit.json").read_text(encoding="utf-8")


def test_json_of_a_fit_is_its_file(run: Run) -> None:
    assert run(*FIT, "--json").out == Path("out/fit.json").read_text(encoding="utf-8")


def test_json_of_a_search_has_its_cells(run: Run) -> None:
    found = one_document(run(*COMMANDS["invariance"], "--search", "--json").out)
    assert {row["level"] for row in found["levels"]} == {"configural", "metric", "scalar", "strict"}
    assert len(found["search"]["cells"]) == 3 * 8  # items by groups


def test_errors_under_json_are_words_on_standard_error(run: Run) -> None:
    done = run("cfa", "trust =~ t1 + nothing", "survey.csv", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mixsem: error: ")


@pytest.mark.parametrize("command", ["fit", "cfa", "lmer", "glmer", "invariance", "moments", "power"])
def test_json_and_quiet_exclude_each_other(run: Run, command: str) -> None:
    done = run(*COMMANDS[command], "--json", "--quiet")
    assert done.code == 2
    assert "--json came with --quiet" in done.err


def test_json_is_utf8_in_any_terminal(folder: Path, survey) -> None:
    survey.replace({"country": {"A": "Österreich 日本"}}).to_csv("survey.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "mixsem", *COMMANDS["moments"], "--json"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, check=True, timeout=120,
    )  # fmt: skip
    groups = json.loads(done.stdout.decode("utf-8"))["groups"]
    assert "Österreich 日本" in [group["group"] for group in groups]


def test_quiet_prints_one_path_per_line(run: Run) -> None:
    done = run(*SEM, "--quiet", "--out", "out", "--save", "fit.mixsem")
    assert (done.out, done.err) == ("out\nfit.mixsem\n", "")


# --- fits to load ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "cfa", "sem", "growth", "lmer", "glmer"])
@pytest.mark.usefixtures("survey_with_answers")
def test_a_kept_fit_is_the_fit(run: Run, command: str) -> None:
    done = run(*COMMANDS[command], "--save", "kept.mixsem")
    assert done.code == 0, done.err
    assert done.out.rstrip().splitlines()[-1].startswith(("Fit in kept.mixsem", "Shown: k = 2"))
    fit = mx.load("kept.mixsem")
    found = one_document(run(*COMMANDS[command], "--json").out)
    loglik = fit[2].loglik if command == "fit" else fit.loglik
    assert loglik == (found["measures"] if command in ("cfa", "sem", "growth") else found)["loglik"]


def test_show_prints_what_a_file_holds(run: Run) -> None:
    run(*SEM, "--save", "fit.mixsem")
    done = run("show", "fit.mixsem")
    assert done.out.startswith(f"fit.mixsem: sem-fit, written by mixsem {mx.__version__}, with rows of people\n\n")
    assert repr(mx.load("fit.mixsem")) in done.out
    found = one_document(run("show", "fit.mixsem", "--json").out)
    assert (found["kind"], found["rows"], found["file_version"]) == ("sem-fit", True, [1, 0])


def test_what_is_no_file_of_a_fit_is_refused(run: Run) -> None:
    for arguments, says in (
        (("show", "none.mixsem"), "there is no file"),
        (("show", "survey.csv"), "is no file that mixsem.save wrote"),
        ((*SEM, "--save", "fit.pkl"), "ends in .mixsem"),
        ((*SEM, "--save", "none/fit.mixsem"), "there is no folder none"),
        ((*SEM, "--save", " "), "--save is empty"),
    ):
        done = run(*arguments)
        assert done.code == 2
        assert says in done.err


# --- exit codes ------------------------------------------------------------------------------------------


def test_every_command_is_here() -> None:
    assert set(COMMANDS) == set(dispatch.COMMANDS)


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (RuntimeError("no"), 1), (mx.errors.DataError("no"), 2), (KeyboardInterrupt(), 130)]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes(
    run: Run, command: str, error: BaseException | None, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(dispatch, "_function", lambda place: work)
    done = run(*COMMANDS[command])
    assert done.code == code
    assert done.out == ""
    assert (done.err == "") == (code == 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_refused_by_every_command(run: Run, command: str) -> None:
    done = run(*COMMANDS[command], "--no-such-option")
    assert (done.code, done.out) == (2, "")
    assert "unknown argument '--no-such-option'" in done.err


# --- completion, help, page ------------------------------------------------------------------------------


def test_completed_words_have_no_blanks(run: Run) -> None:
    """A shell would offer the two halves of a name with a blank as two words."""
    pytest.importorskip("shtab", reason="the library shtab is not installed")
    script = run("completion", "bash").out
    assert "negative-binomial" in script and "negative binomial" not in script


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_options(run: Run, shell: str) -> None:
    pytest.importorskip("shtab", reason="the library shtab is not installed")
    script = run("completion", shell).out
    for word in ("lmer", "invariance", "status", "kenward-roger", "lbfgsb"):
        assert word in script


def test_bash_completes(run: Run, folder: Path) -> None:
    pytest.importorskip("shtab", reason="the library shtab is not installed")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (folder / "script").write_text(run("completion", "bash").out)
    ask = 'source ./script; COMP_WORDS=(mixsem {}); COMP_CWORD={}; _shtab_mixsem; echo "${{COMPREPLY[@]}}"'
    for words, expected in (("gl", "glmer"), ("lmer --opt", "--optimizer"), ("study sta", "status")):
        code = ask.format(words, len(words.split()))
        done = subprocess.run([bash, "-c", code], capture_output=True, text=True, check=True, timeout=30)
        assert done.stdout.split() == [expected]


def test_an_unknown_shell_is_refused(run: Run) -> None:
    done = run("completion", "cmd")
    assert done.code == 2
    assert "bash, zsh, fish, tcsh" in done.err


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "mixsem", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"mixsem {mx.__version__}\n")


def test_the_schema_is_printed(run: Run) -> None:
    assert one_document(run("schema").out)["$id"] == "urn:mixsem:schema:fit:1"


def options_of(parser: argparse.ArgumentParser, name: str = "mixsem") -> Iterator[tuple[str, argparse.Action]]:
    """Every option of every command, with the command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command, own in action.choices.items():
                yield from options_of(own, f"{name} {command}")
        elif action.option_strings and action.dest != "help":
            yield name, action


def test_the_page_tells_every_option_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", page)) - {"--help"}
    known = {action.option_strings[-1] for _, action in options_of(build_parser())}
    assert known - told == set(), "not on the page"
    assert told - known == set(), "no options"
    commands = {name.split()[1] for name, _ in options_of(build_parser()) if " " in name}
    assert {name for name in commands if f"## {name}" not in page and name not in ("sem", "growth", "demo")} == set()


def test_help_says_the_same_of_the_same_option() -> None:
    texts: dict[str, set[str | None]] = {}
    for _, action in options_of(build_parser()):
        texts.setdefault(action.option_strings[-1], set()).add(action.help)
    for option in ("--quiet", "--title", "--save"):
        assert len(texts[option]) == 1, option
    assert all(text and text.strip() for helps in texts.values() for text in helps)
