"""`guided_report`: everything that is to be said of a mixed model, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..mixed.require import require_any_fit
from .beside import alternative_items, growth_items, missing_items
from .checks import check_items, checks_of
from .estimates import fixed_items, variance_items
from .files import told_of
from .fitted import fitted_items
from .part import Part, attempt
from .report import GuidedReport
from .smaller import smaller_items
from .subject import Subject

if TYPE_CHECKING:
    from ..data.columns import FrameLike
    from ..mixed.require import AnyFit
    from ..report.mixed_results import MixedResults

__all__ = ["guided_report", "report_of"]


def guided_report(
    fit: AnyFit,
    data: FrameLike | None = None,
    out: str | Path | None = None,
    *,
    title: str = "",
    source: str = "",
    command: str = "",
) -> GuidedReport:
    """Report on a mixed model as a careful colleague would: what it is, whether to trust it, what it says.

    In order: the model in words; checks, passed and not passed; what missing values cost; variances with R² and
    intraclass correlations; fixed effects; the next simpler models; alternatives to a mixed model; the growth curve, if
    it is one; figures. What cannot be computed says so in a line, and what would take long is left out and names the
    call that does it.

    Parameters
    ----------
    fit
        A fit of `lmer` or `glmer`.
    data
        The whole table that the model was fitted to, incomplete rows included: a fit keeps complete rows only. With it
        missing values are accounted for.
    out
        Folder for ``report.html`` and the tables, written whole or not at all; none if it is not given.
    title
        Heading of the report.
    source
        Where the data came from, such as the name of their file.
    command
        A command line that repeats the analysis.

    Returns
    -------
    GuidedReport
        Prints as text; ``.checks`` has the verdicts, ``.to_html()`` the page, ``.save(folder)`` writes the files.

    Raises
    ------
    OptionError
        If `fit` is no mixed model.
    OutputError
        If the folder cannot be written; then nothing has changed.

    See Also
    --------
    save_results : The files with a shorter page, without comparisons.

    Examples
    --------
    >>> import mixsem as mx
    >>> report = mx.guided_report(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy()))
    >>> [part.name for part in report.parts]
    ['fitted', 'checks', 'variances', 'fixed', 'smaller', 'alternatives', 'growth']
    >>> report.frame["verdict"].value_counts().to_dict()
    {'passed': 6, 'to know': 1, 'for the eye': 1}
    """
    from ..report.folder import check_folder
    from ..report.names import MIXED_FILES

    require_any_fit(fit, "guided_report")
    if out is not None:
        check_folder(out, MIXED_FILES)
    made = report_of(told_of(fit), data, title=title, source=source, command=command)
    if out is not None:
        made.save(out)
    return made


def report_of(
    results: MixedResults, data: FrameLike | None = None, *, title: str = "", source: str = "", command: str = ""
) -> GuidedReport:
    """Report on a fit whose tests and intervals are known; see `guided_report`."""
    subject = Subject(results, data)
    checks = checks_of(subject)
    named = (
        ("fitted", "What was fitted", lambda: fitted_items(subject, source)),
        ("checks", "Checks", lambda: check_items(checks)),
        ("missing", "Missing values", lambda: missing_items(subject)),
        ("variances", "Variances", lambda: variance_items(subject)),
        ("fixed", "Fixed effects", lambda: fixed_items(subject)),
        ("smaller", "The next simpler models", lambda: smaller_items(subject)),
        ("alternatives", "Alternatives to a mixed model", lambda: alternative_items(subject)),
        ("growth", "As a growth curve", lambda: growth_items(subject)),
    )
    made = (Part(name, heading, attempt(heading, compute)) for name, heading, compute in named)
    return GuidedReport(results, checks, tuple(part for part in made if part.items), title, source, command)
