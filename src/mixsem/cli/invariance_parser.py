"""The arguments of ``mixsem invariance``, as argparse knows them."""

from __future__ import annotations

import argparse

from .output import add_output

__all__ = ["add_invariance"]


def add_invariance(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Test measurement invariance over groups: configural, metric, scalar, strict. With --search, find the items"
        " whose loadings differ. With --out it writes report.html, invariance.csv, noninvariance.csv and"
        " invariance.svg."
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="table with one row per person (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather), or moments file"
        " (.json, .json.gz)",
    )
    parser.add_argument("--group", metavar="COLUMN", help="column of the groups (not for moments)")
    parser.add_argument(
        "--measurement",
        required=True,
        metavar="FILE",
        help="measurement model: a text file in lavaan syntax, or the model itself (anything that contains '~')",
    )
    parser.add_argument(
        "--levels",
        nargs="+",
        action="extend",
        metavar="LEVEL",
        help="configural metric scalar strict (all of them; the first two with --ordered)",
    )
    parser.add_argument(
        "--partial",
        nargs="+",
        action="extend",
        metavar="PARAMETER",
        help='parameters free at all levels, such as "F =~ x3" "x3 ~ 1"',
    )
    parser.add_argument(
        "--estimator",
        default=None,
        metavar="NAME",
        help="ML (default), MLR, MLM, GLS, ...; WLSMV (default with --ordered)",
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
    parser.add_argument("--std-lv", action="store_true", help="scale by unit factor variances, not by marker variables")
    parser.add_argument("--orthogonal", action="store_true", help="factors do not covary")
    parser.add_argument("--min-size", metavar="N", help="leave out groups with fewer complete rows")
    parser.add_argument("--blocks", default="joint", metavar="HOW", help='joint (default), factor, or "F1,F2;F3"')
    parser.add_argument("--search", action="store_true", help="search for non-invariant items")
    parser.add_argument(
        "--kinds",
        nargs="+",
        action="extend",
        metavar="KIND",
        help="what to search among: loadings (default), intercepts",
    )
    parser.add_argument(
        "--threshold",
        metavar="SIZE",
        help="least standardized deviation that counts in the search (0.1)",
    )
    parser.add_argument(
        "--min-share", metavar="SHARE", help="share of the groups that must deviate before an item is freed (0)"
    )
    add_output(parser, save=False)
