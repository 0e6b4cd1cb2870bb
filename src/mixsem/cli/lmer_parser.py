"""The arguments of ``mixsem lmer``, as argparse knows them."""

from __future__ import annotations

import argparse

from .mixed_parser import add_mixed_input, add_mixed_output

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
    add_mixed_input(
        parser,
        '"y ~ x + (x | g)"',
        weights="residual variances are sigma^2 / weight",
        offset="part of the mean that is known",
    )
    parser.add_argument("--ml", action="store_true", help="maximum likelihood (default: REML)")
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
    _add_residual(parser.add_argument_group("residuals with a structure"))
    parser.add_argument(
        "--optimizer", default="lbfgsb", metavar="NAME", help=f"how the fit is found: {', '.join(OPTIMIZERS)}"
    )
    add_mixed_output(parser)


def _add_residual(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--residual-by", metavar="COLUMN", help="a residual standard deviation for each of its levels")
    group.add_argument(
        "--ar1",
        nargs=2,
        metavar=("GROUP", "TIME"),
        help="residuals of one GROUP are autocorrelated along TIME, whole numbers",
    )
