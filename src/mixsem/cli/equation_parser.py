"""The arguments of ``mixsem cfa``, ``sem`` and ``growth``, as argparse knows them."""

from __future__ import annotations

import argparse

from .output import add_output

__all__ = ["EQUATION_COMMANDS", "add_equations"]

EQUATION_COMMANDS = {
    "cfa": "fit a confirmatory factor model",
    "sem": "fit a structural equation model",
    "growth": "fit a latent growth curve",
}

_DETAILS = {
    "cfa": "All factors covary.",
    "sem": "Moments of observed covariates are taken as given.",
    "growth": "Intercepts of observed variables are zero, means of factors are free.",
}


def add_equations(parser: argparse.ArgumentParser, kind: str) -> None:
    """Describe one of the three commands.

    Parameters
    ----------
    parser
        The command's parser.
    kind
        Its name.
    """
    parser.description = (
        f"{EQUATION_COMMANDS[kind].capitalize()} to one group or several and print its summary, with lavaan's syntax,"
        f" defaults and numbers. {_DETAILS[kind]} With --out it writes report.html, parameters.csv and fit.json."
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a text file in lavaan syntax, or the model itself (anything that contains '~')"
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="table with one row per person (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather), or moments file"
        " (.json, .json.gz)",
    )
    parser.add_argument("--group", metavar="COLUMN", help="column of the groups (a single group without it)")
    parser.add_argument(
        "--group-equal",
        nargs="+",
        action="extend",
        metavar="KIND",
        help="kinds of parameters equal over groups: loadings, intercepts, residuals, residual.covariances, means,"
        " lv.variances, lv.covariances, regressions",
    )
    parser.add_argument(
        "--group-partial",
        nargs="+",
        action="extend",
        metavar="PARAMETER",
        help='parameters exempt from --group-equal, such as "F =~ x3"',
    )
    parser.add_argument(
        "--estimator",
        default=None,
        metavar="NAME",
        help="ML (default), MLR, MLM, MLMV, MLMVS, GLS, WLS, ULS, DWLS, WLSMV (default with --ordered)",
    )
    parser.add_argument(
        "--missing",
        default="listwise",
        metavar="HOW",
        help="listwise (drop rows with a missing value, default) or ml (use every answer: full information)",
    )
    parser.add_argument(
        "--ordered", nargs="+", action="extend", metavar="ITEM", help="items that are ordered categories; 'all' for all"
    )
    parser.add_argument("--std-lv", action="store_true", help="factor variances are 1; no marker variables")
    parser.add_argument("--orthogonal", action="store_true", help="factors do not covary")
    parser.add_argument("--meanstructure", action="store_true", help="model means, also where lavaan would not")
    parser.add_argument(
        "--free-x", action="store_true", help="estimate the moments of covariates (lavaan: fixed.x = F)"
    )
    add_output(parser)
