"""The arguments that ``mixsem lmer`` and ``mixsem glmer`` have in common, as argparse knows them."""

from __future__ import annotations

import argparse

from .output import add_output

__all__ = ["add_mixed_input", "add_mixed_output"]


def add_mixed_input(parser: argparse.ArgumentParser, example: str, weights: str, offset: str) -> None:
    """Describe formula, table and the columns with weights and offset.

    Parameters
    ----------
    parser
        The command's parser.
    example
        Formulas.
    weights, offset
        What these columns mean.
    """
    parser.add_argument("formula", metavar="FORMULA", help=f"in quotation marks, such as {example}")
    parser.add_argument(
        "data",
        metavar="DATA",
        help="table with one row per observation (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather)",
    )
    parser.add_argument("--weights", metavar="COLUMN", help=weights)
    parser.add_argument("--offset", metavar="COLUMN", help=offset)


def add_mixed_output(parser: argparse.ArgumentParser) -> None:
    """Describe tests of terms, and where results go."""
    parser.add_argument("--anova", action="store_true", help="test the terms of the fixed part too (type III)")
    add_output(parser)
