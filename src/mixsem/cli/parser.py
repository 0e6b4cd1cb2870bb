"""The arguments of the command line, as argparse knows them. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..errors import OptionError, did_you_mean
from .equation_parser import EQUATION_COMMANDS, add_equations
from .glmer_parser import add_glmer
from .invariance_parser import add_invariance
from .lmer_parser import add_lmer
from .output import add_json, add_output, add_quiet
from .power_parser import add_power
from .study_parser import add_study

__all__ = ["DEMO_FOLDER", "METHODS", "build_parser", "parse_arguments"]

METHODS = ("mmgsem", "mixml-sem", "mixmg-bsem")
DEMO_FOLDER = "mixsem-demo"

_EXAMPLES = """examples:
  mixsem demo
  mixsem fit survey.csv --group country --measurement measurement.txt \\
      --structural "support ~ trust + fear" --clusters 1-6 --seed 1 --out results
  mixsem fit survey.csv --group country --measurement measurement.txt --structural structural.txt \\
      --method mixmg-bsem --prior-variance 0.01 "trust =~ t3=none" --out results
  mixsem moments belgium.csv --group country --measurement measurement.txt --out belgium.json
  mixsem fit belgium.json chile.json --measurement measurement.txt --structural structural.txt --out results
  mixsem cfa measurement.txt survey.csv --group country --group-equal loadings,intercepts --estimator MLR
  mixsem invariance survey.csv --group country --measurement measurement.txt --search --out results
  mixsem lmer "reaction ~ days + (days | subject)" sleep.csv --confint profile --out results
  mixsem power --groups 24,48 --sizes 50,100,200 --clusters 2 --beta 0.3
  mixsem study run mixml-1 --cells 48 --replications 3 --out mixml-1
  mixsem sem model.txt survey.csv --save fit.mixsem
  mixsem show fit.mixsem

exit codes: 0 done, 1 the computation failed, 2 wrong arguments or unusable input, 130 interrupted"""

#: What comes first after a command.
_FIRST = {
    "power": "the plan file comes first, if there is one",
    "explain": "the identifier is what stands in brackets after the message, such as MX101",
    "show": "the file comes first",
    "schema": "it takes no argument",
    "completion": "the shell comes first: bash, zsh, fish or tcsh",
    "demo": "it needs no data",
    **dict.fromkeys(("lmer", "glmer"), "the formula comes first, in quotation marks, then the data"),
    **dict.fromkeys(EQUATION_COMMANDS, "the model comes first, then the data"),
}

_MODEL = "a text file in lavaan syntax, or the model itself (anything that contains '~')"


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints are ours: one sentence and what to do next, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and leaving."""
        raise OptionError(message, todo=f"{self.prog} --help lists the arguments; {self._first()}")

    def _first(self) -> str:
        words = self.prog.split()
        if "study" in words:
            return "the study or its folder comes first" if words[-1] != "study" else "such as mixsem study run"
        return _FIRST.get(words[-1], "the data files come first")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments; what argparse cannot place is refused with a suggestion.

    Raises
    ------
    OptionError
        If an argument is unknown, missing, or lacks its value.
    """
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        known = [option for action in _actions(parser, arguments) for option in action.option_strings]
        raise OptionError(
            f"unknown argument {rest[0]!r}",
            allowed=", ".join(option for option in known if option.startswith("--")),
            todo=did_you_mean(rest[0], known) or "put texts with blanks into quotation marks",
        )
    return arguments


def _actions(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[argparse.Action]:
    """Return the arguments of the subcommand that was chosen, at whatever depth."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return _actions(action.choices[getattr(arguments, action.dest)], arguments)
    return list(parser._actions)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="mixsem",
        description="Compare relations across many groups: structural equation models with regressions"
        " clustered over groups, and mixed models.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mixsem {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    _add_fit(commands.add_parser("fit", help="cluster groups by their regressions", allow_abbrev=False))
    _add_moments(commands.add_parser("moments", help="turn rows into moments, to be sent instead", allow_abbrev=False))
    add_invariance(commands.add_parser("invariance", help="test measurement invariance", allow_abbrev=False))
    for kind, does in EQUATION_COMMANDS.items():
        add_equations(commands.add_parser(kind, help=does, allow_abbrev=False), kind)
    add_lmer(commands.add_parser("lmer", help="fit a linear mixed model", allow_abbrev=False))
    add_glmer(commands.add_parser("glmer", help="fit a generalised mixed model", allow_abbrev=False))
    add_power(commands.add_parser("power", help="how many groups and people are needed", allow_abbrev=False))
    add_study(commands.add_parser("study", help="run simulation studies, the papers' or yours", allow_abbrev=False))
    _add_explain(commands.add_parser("explain", help="what a message means, and what to do", allow_abbrev=False))
    _add_show(commands.add_parser("show", help="what a file of --save holds", allow_abbrev=False))
    _add_schema(commands.add_parser("schema", help="the JSON schema of fit.json", allow_abbrev=False))
    _add_completion(commands.add_parser("completion", help="let the shell complete commands", allow_abbrev=False))
    _add_demo(commands.add_parser("demo", help="run on a survey that ships with mixsem", allow_abbrev=False))
    return parser


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Fit a measurement model to all groups, then cluster the groups by the regressions among the factors."
        " Writes report.html, clusters.csv, coefficients.csv, selection.csv, moments.json and fit.json."
    )
    _add_data(parser)
    parser.add_argument("--measurement", required=True, metavar="FILE", help=f"measurement model: {_MODEL}")
    parser.add_argument("--structural", required=True, metavar="FILE", help=f"structural model: {_MODEL}")
    parser.add_argument(
        "--method",
        default="mmgsem",
        metavar="NAME",
        help="how loadings differ between groups: mmgsem (default; not, but for those named), mixml-sem (at random),"
        " mixmg-bsem (a little)",
    )
    parser.add_argument(
        "--clusters", default="1-6", metavar="K", help="numbers of clusters: 3, 1-6 or 2,4,5 (default 1-6)"
    )
    parser.add_argument("--choose", metavar="K", help="report this number of clusters (default: CHull, else BIC_G)")
    parser.add_argument("--min-size", metavar="N", help="leave out groups with fewer complete rows")
    parser.add_argument("--starts", default="200", metavar="N", help="random starts per number of clusters (200)")
    parser.add_argument("--seed", default="1", metavar="S", help="seed of random starts and posterior draws (1)")
    _add_step1(parser)
    step3 = parser.add_argument_group("clusters (step 3)")
    step3.add_argument(
        "--residuals",
        default="group",
        metavar="KIND",
        help="residual variances by group (default) or cluster",
    )
    _add_several(
        step3, "--equal-regressions", "REGRESSION", 'regressions that are the same in all clusters, such as "y ~ x"'
    )
    _add_several(step3, "--group-specific", "REGRESSION", "regressions that are free in every group")
    step3.add_argument(
        "--meanstructure",
        action="store_true",
        help="cluster on factor means too; with --method mmgsem --equal loadings intercepts",
    )
    add_output(parser, required=True)


def _add_step1(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement model: those of all methods, then each method's own."""
    step1 = parser.add_argument_group("measurement (step 1)")
    step1.add_argument(
        "--blocks",
        default="factor",
        metavar="BLOCKS",
        help='factors estimated together: factor (each by itself, default), joint (all), or "F1,F2;F3"',
    )
    own = parser.add_argument_group("measurement with --method mmgsem")
    _add_several(own, "--partial", "PARAMETER", 'parameters that may differ between groups, such as "F =~ x3"')
    _add_several(own, "--equal", "KIND", "kinds of parameters equal over groups (loadings); 'none' for none")
    _add_several(own, "--ordered", "ITEM", "items with ordered categories, or 'all': polychoric correlations")
    own = parser.add_argument_group("measurement with --method mixml-sem")
    _add_several(
        own,
        "--random",
        "PARAMETER",
        "what varies over groups: kinds (loadings, residuals, 'factor variances', 'factor correlations',"
        " 'residual correlations'; all but the last by default), parameters such as \"F =~ x3\", or 'none'",
    )
    own = parser.add_argument_group("measurement with --method mixmg-bsem")
    _add_several(
        own,
        "--prior-variance",
        "VARIANCE",
        "variance of a loading's difference from the reference group's: 0.01 (default), 0 (equal) or none (free);"
        ' several to choose from by DIC; by factor or loading "F=0.05", "F =~ x3=none"',
    )
    own.add_argument("--symmetric", action="store_true", help="loadings vary around a common value: no reference group")
    own.add_argument("--reference", metavar="GROUP", help="label of the reference group (the first one)")
    _add_sampling(parser.add_argument_group("sampling with --method mixml-sem or mixmg-bsem"))


def _add_several(group: argparse._ArgumentGroup, option: str, metavar: str, help: str) -> None:
    """An option with one or more values, which may be given more than once."""
    group.add_argument(option, nargs="+", action="extend", metavar=metavar, help=help)


def _add_sampling(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--priors", metavar="NAME", help="default, blavaan or mplus (mixml-sem: default, mixmg-bsem: blavaan)"
    )
    group.add_argument(
        "--sampler",
        metavar="NAME",
        help="nuts (the No-U-Turn sampler, default) or laplace (the fast method, for simulations)",
    )
    group.add_argument("--chains", metavar="N", help="Markov chains per measurement block (4)")
    group.add_argument("--warmup", metavar="N", help="draws of each chain that tune the sampler and go (1000)")
    group.add_argument("--draws", metavar="N", help="draws of each chain that are kept (1000)")
    group.add_argument(
        "--target-accept", metavar="RATE", help="acceptance rate that the step size aims at, 0.5 to 1 (0.8)"
    )
    group.add_argument("--save-draws", metavar="FILE", help="write the draws to a NetCDF file (.nc), as ArviZ reads it")


def _add_moments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compute size, means and covariances per group and write them to a file that 'mixsem fit' reads:"
        " whoever holds the data can send moments instead of people."
    )
    _add_data(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--items", metavar="A,B,C", help="the columns of the items, separated by commas")
    which.add_argument("--measurement", metavar="FILE", help=f"take the items from a model: {_MODEL}")
    parser.add_argument("--min-size", metavar="N", help="leave out groups with fewer complete rows")
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write, .json, .json.gz or .parquet")
    add_json(parser)
    add_quiet(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = "Cluster the 48 countries of a simulated survey whose true clusters are known. Opens nothing."
    parser.add_argument("--out", default=DEMO_FOLDER, metavar="DIR", help=f"folder for the results ({DEMO_FOLDER})")
    parser.add_argument("--method", default="mmgsem", metavar="NAME", help="mmgsem (default), mixml-sem or mixmg-bsem")
    add_json(parser)
    add_quiet(parser)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the page of a message: what it means, why it is likely, what to do in which order."
    parser.add_argument("identifier", metavar="IDENTIFIER", help="what stands in brackets after it, such as MX101")
    add_json(parser)


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print what a file of --save or mixsem.save holds, and the summary of the fit."
    parser.add_argument("file", metavar="FILE", help="the file (.mixsem)")
    parser.add_argument("--json", action="store_true", help="print what the file says of itself as JSON, nothing else")


def _add_schema(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the JSON schema of fit.json (draft 2020-12), with a description of every key."


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print a script that lets the shell complete commands, options and files; for bash:"
        " mixsem completion bash > ~/.local/share/bash-completion/completions/mixsem"
    )
    parser.add_argument("shell", metavar="SHELL", help="bash, zsh, fish or tcsh")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help="table with one row per person (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather; a folder or pattern of"
        " .parquet files), or moments file (.json, .json.gz, .parquet); several are merged",
    )
    parser.add_argument("--group", metavar="COLUMN", help="column of the groups (not for moments)")
    parser.add_argument(
        "--missing",
        default="listwise",
        metavar="HOW",
        help="missing values: listwise (drop the row, default), ml (estimate the moments from every answer)"
        " or pairwise (each covariance from the rows with both items)",
    )
