"""The arguments of ``mixsem lmer``, as argparse knows them."""

from __future__ import annotations

import argparse

__all__ = ["CONFINT_METHODS", "DDF_METHODS", "OPTIMIZERS", "add_lmer"]

# Written out, since the modules that define them load NumPy; a test compares.
DDF_METHODS = ("satterthwaite", "kenward-roger", "none")
CONFINT_METHODS = ("wald", "profile", "none")
OPTIMIZERS = ("lbfgsb", "bfgs", "slsqp", "tnc", "trust-constr", "cobyqa", "powell", "nelder-mead")


def add_lmer(parser: argparse.ArgumentParser) -> None:
    """Describe the command.

    Parameters
    ----------
    parser
        The command's parser.
    """
    parser.description = (
        "Fit a linear mixed model and print its summary, with lme4's formulas and numbers. With --out it writes"
        " report.html, fixed.csv, random.csv, varcorr.csv and fit.json."
    )
    parser.add_argument("formula", metavar="FORMULA", help='in quotation marks, such as "y ~ x + (x | g)"')
    parser.add_argument(
        "data",
        metavar="DATA",
        help="table with one row per observation (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather)",
    )
    parser.add_argument("--ml", action="store_true", help="maximum likelihood (default: REML)")
    parser.add_argument("--weights", metavar="COLUMN", help="residual variances are sigma^2 / weight")
    parser.add_argument("--offset", metavar="COLUMN", help="part of the mean that is known")
    parser.add_argument(
        "--ddf",
        metavar="METHOD",
        help="tests of fixed effects: satterthwaite (default, if it does not take long), kenward-roger, or none (z)",
    )
    parser.add_argument(
        "--confint",
        metavar="METHOD",
        help="95%% intervals: wald (fixed effects; the files have them by default), profile (standard deviations and"
        " correlations too, takes longer), or none",
    )
    parser.add_argument("--anova", action="store_true", help="test the terms of the fixed part too (type III)")
    _add_residual(parser.add_argument_group("residuals with a structure"))
    parser.add_argument(
        "--optimizer", default="lbfgsb", metavar="NAME", help=f"how the fit is found: {', '.join(OPTIMIZERS)}"
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON in the place of the summary")
    parser.add_argument("--out", metavar="DIR", help="folder for the results; made if needed")
    parser.add_argument("--title", default="", metavar="TEXT", help="title of the report")
    parser.add_argument("--quiet", action="store_true", help="print the path of the result and errors, nothing else")


def _add_residual(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--residual-by", metavar="COLUMN", help="a residual standard deviation for each of its levels")
    group.add_argument(
        "--ar1",
        nargs=2,
        metavar=("GROUP", "TIME"),
        help="residuals of one GROUP are autocorrelated along TIME, whole numbers",
    )
