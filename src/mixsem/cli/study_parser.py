"""The arguments of ``mixsem study``, as argparse knows them."""

from __future__ import annotations

import argparse

from .output import add_json, add_quiet

__all__ = ["add_study"]

_STUDY = "mixml-1, mixml-2, mixmg-bsem or mixmg-sem (the papers' own), or a TOML file"
_FOLDER = "folder of a study, as named by --out of 'mixsem study run'"

_EXAMPLES = """examples:
  mixsem study run mixml-1 --cells 48 --replications 3 --out mixml-1
  mixsem study status mixml-1
  mixsem study table mixml-1 --format markdown
  mixsem study show mixml-1 > mine.toml"""


def add_study(parser: argparse.ArgumentParser) -> None:
    """Describe the command and what it can do."""
    parser.description = (
        "Simulation studies: the papers' own, or one of yours in a TOML file. They run on all cores or on a Dask"
        " cluster, can be stopped at any moment, and go on where they were."
    )
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    _add_run(actions.add_parser("run", help="run a study, or go on with it", allow_abbrev=False))
    _add_status(actions.add_parser("status", help="how far it is", allow_abbrev=False))
    _add_table(actions.add_parser("table", help="tables by level, beside the papers'", allow_abbrev=False))
    _add_anova(actions.add_parser("anova", help="effect sizes of the factors", allow_abbrev=False))
    _add_plot(actions.add_parser("plot", help="figures of the main interactions", allow_abbrev=False))
    _add_show(actions.add_parser("show", help="print a study as TOML, to copy and change", allow_abbrev=False))
    _add_data(actions.add_parser("data", help="write one of its data sets", allow_abbrev=False))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Simulate, analyse, and append each result to the folder as soon as it exists. The same command goes on with"
        " a study that was stopped; with more --replications only the new ones are run."
    )
    parser.add_argument("study", metavar="STUDY", help=_STUDY)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; made if needed")
    parser.add_argument("--replications", metavar="N", help="data sets per cell (as the study says)")
    parser.add_argument("--cells", metavar="N", help="run a balanced fraction of so many cells (as the study says)")
    parser.add_argument("--seed", metavar="S", help="seed of all data sets (as the study says)")
    parser.add_argument("--workers", metavar="N", help="processes (all cores)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster, such as tcp://10.0.0.5:8786")
    parser.add_argument("--retry", action="store_true", help="try again what failed")
    add_json(parser)
    add_quiet(parser)


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say how far a study is; also while it runs."
    parser.add_argument("folder", metavar="DIR", help=_FOLDER)
    add_json(parser)


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.description = "Means and standard deviations per level of each factor, with the papers' own beside them."
    parser.add_argument("folder", metavar="DIR", help=_FOLDER)
    parser.add_argument("--format", default="text", metavar="NAME", help="text (default), markdown, latex or csv")
    parser.add_argument("--out", metavar="FILE", help="write to a file instead")
    add_json(parser)


def _add_anova(parser: argparse.ArgumentParser) -> None:
    parser.description = "How much of the variance of a measure each factor, and each pair of factors, explains."
    parser.add_argument("folder", metavar="DIR", help=_FOLDER)
    parser.add_argument("--measure", required=True, metavar="NAME", help="such as ari, cc or 'rmse[F4~F1]'")
    parser.add_argument("--method", metavar="NAME", help="one method of the study (the only one, if there is one)")
    parser.add_argument("--variant", metavar="V", help="one prior variance of it (that of the population)")
    parser.add_argument("--order", default="2", metavar="N", help="1: main effects; 2: interactions of two, too (2)")


def _add_plot(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw the main interactions of the factors."
    parser.add_argument("folder", metavar="DIR", help=_FOLDER)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the figures; made if needed")
    parser.add_argument(
        "--measure", nargs="+", action="extend", metavar="NAME", help="such as ari cc (what the study measured)"
    )


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print a study as TOML, every setting written out."
    parser.add_argument("study", metavar="STUDY", help=_STUDY)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write one data set of a study, to be looked at or analysed alone."
    parser.add_argument("study", metavar="STUDY", help=_STUDY + ", or the folder of a study")
    parser.add_argument("--cell", required=True, metavar="N", help="number of the cell, as in the results")
    parser.add_argument("--replication", required=True, metavar="N", help="number of the replication, from 1")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="rows (.csv, .parquet) or moments (.json, .json.gz)"
    )
