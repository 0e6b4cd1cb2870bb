"""Checks in plain words: what was looked at, whether it passed, what to do if it did not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import (
    BoundaryWarning,
    ConvergenceWarning,
    FewGroupsWarning,
    MissingDataWarning,
    MixsemError,
    MixsemWarning,
    SeparationWarning,
)
from ..mixed.audit.design_audit import check_design
from ..mixed.audit.overdispersion import check_overdispersion
from ..mixed.fit import MixedFit
from ..mixed.judgement.convergence import check_convergence
from ..mixed.judgement.quadrature_check import check_quadrature, is_scalar
from ..mixed.missing.report import LITTLE
from ..report.document import Listing
from ..report.values import plural
from .part import Item, first_line, sentence
from .subject import may_profile

if TYPE_CHECKING:
    from ..mixed.audit.findings import DesignAudit, Step
    from ..mixed.generalised.fit import GeneralisedFit
    from ..mixed.require import AnyFit
    from .subject import Subject

__all__ = ["Check", "Verdict", "check_items", "checks_of"]

Verdict = Literal["passed", "to know", "look", "for the eye"]

#: Steps of the audit: how they are called here, and what it means that nothing was found.
STEPS: dict[Step, tuple[str, str]] = {
    "data": (
        "Data",
        "No predictor repeats others, no combination of categories is empty, no label seems to mean two things.",
    ),
    "simpler model": ("Size of the random part", "Levels have rows enough for their random effects."),
    "scale": ("Scales of predictors", "They are of the same order, and near enough to 0 for intercepts to be read."),
}
#: Warnings of a fit that a check of its own tells of.
TOLD: tuple[type[MixsemWarning], ...] = (BoundaryWarning, ConvergenceWarning, FewGroupsWarning, MissingDataWarning)
#: Probability below which overdispersion is looked at.
DOUBTFUL = 0.05


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes
    ----------
    name
        What was looked at.
    verdict
        ``"passed"``; ``"to know"``: no trouble, but worth a thought; ``"look"``: something to look into; ``"for the
        eye"``: no number tells.
    text
        What was seen, and what to do.
    """

    name: str
    verdict: Verdict
    text: str


def check_items(checks: Sequence[Check]) -> Iterator[Item]:
    """A sentence that sums up, then every check."""
    look = [check.name for check in checks if check.verdict == "look"]
    passed = sum(check.verdict == "passed" for check in checks)
    if look:
        names = "; ".join(name[:1].lower() + name[1:] for name in dict.fromkeys(look))
        yield sentence(f"{plural(passed, 'check')} passed, {len(look)} to look into: {names}.")
    else:
        yield sentence(f"{plural(passed, 'check')} passed, none to look into.")
    yield Listing("", tuple((f"{check.name}: {check.verdict}", check.text) for check in checks), stacked=True)


def checks_of(subject: Subject) -> tuple[Check, ...]:
    """All checks, in the order in which to see to what they find."""
    fit = subject.fit
    found = [*_guarded("Missing values", lambda: [_rows(subject)]), *_guarded("Design", lambda: _design(fit))]
    found += _guarded("Variances away from their bounds", lambda: [_boundary(fit)])
    found += _guarded("Convergence", lambda: [_convergence(fit)])
    if not isinstance(fit, MixedFit):
        found += [
            *_guarded("Overdispersion", lambda: _overdispersion(fit)),
            *_guarded("Quadrature", lambda: _quadrature(fit)),
        ]
    eye = "Whether residuals and random effects are near to normal, and residuals equally spread: see the figures."
    if not isinstance(fit, MixedFit):
        eye = "Whether random effects are near to normal, and residuals show no pattern: see the figures."
    return (*found, Check("Shape of residuals and random effects", "for the eye", eye))


def _guarded(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """The checks, or that they could not be made: a report has the others nevertheless."""
    try:
        return list(look())
    except Exception as error:  # see `attempt`
        return [Check(name, "to know", f"Not checked. {first_line(error)}.")]


def _design(fit: AnyFit) -> Iterator[Check]:
    """What the audit of data and model found, and warnings of the fit that nothing else tells of."""
    audit = check_design(fit)
    for step in STEPS:
        yield from _step(audit, step)
    yield from _levels(fit, audit)
    yield from _others(fit, audit)


def _rows(subject: Subject) -> Check:
    """Rows that were left out."""
    name, fit = "Missing values", subject.fit
    lost, n = fit.design.n_rows - fit.nobs, fit.design.n_rows
    if not lost:
        return Check(name, "passed", f"None among the variables of the model, in {n:,} rows.")
    share, known = lost / n, subject.missing
    if known is not None:  # a missing outcome alone is no loss to the likelihood
        share -= len(known.to_predict) / n
        text = f"{lost:,} of {n:,} rows ({lost / n:.1%}) were left out: see below."
    else:
        told = [notice.text for notice in fit.notices if notice.category is MissingDataWarning]
        text = f"{' '.join(told) or f'{lost:,} of {n:,} rows were left out.'} guided_report(fit, data) says more."
    return Check(name, "look" if share >= LITTLE else "to know", text)


def _step(audit: DesignAudit, step: Step) -> Iterator[Check]:
    """The findings of one step of the audit, or that there are none."""
    name, nothing = STEPS[step]
    findings = [finding for finding in audit.findings if finding.step == step]
    notes = [note for note in audit.notes if note.startswith("Constant within")] if step == "simpler model" else []
    if not findings:
        yield Check(name, "passed", " ".join([nothing, *notes]))
    for finding in findings:
        text = f"{finding.what} {finding.why} What to do: {finding.todo} [{finding.identifier}]"
        yield Check(f"{name}, {finding.where}", "look", text)


def _levels(fit: AnyFit, audit: DesignAudit) -> Iterator[Check]:
    """Whether variances are estimated from enough levels."""
    few = [finding for finding in audit.findings if finding.step == "few-level factors"]
    for finding in few:
        text = f"{finding.what} {finding.why} What to do: {finding.todo} [{finding.identifier}]"
        yield Check(f"Numbers of levels, {finding.where}", "look", text)
    some = [note for note in audit.notes if not note.startswith("Constant within")]
    if some:
        yield Check("Numbers of levels", "to know", " ".join(some))
    if not few and not some:
        sizes = ", ".join(f"{factor.name} {factor.n_levels:,}" for factor in fit.design.factors)
        yield Check("Numbers of levels", "passed", f"Enough to estimate variances from ({sizes}).")


def _boundary(fit: AnyFit) -> Check:
    """Variances of 0, correlations of 1."""
    name = "Variances away from their bounds"
    texts = [notice.text for notice in fit.notices if notice.category is BoundaryWarning]
    if texts:
        return Check(name, "look", f"{' '.join(text[:1].upper() + text[1:] for text in texts)} [MX101]")
    many = any(len(term.names) > 1 and term.correlated for term in fit.design.terms)
    return Check(
        name, "passed", f"No variance is 0{', and no correlation 1 or -1' * many}: no boundary (singular) fit."
    )


def _convergence(fit: AnyFit) -> Check:
    """Whether the search arrived."""
    check = check_convergence(fit)
    if check.converged:
        text = check.text.removeprefix("Converged: ")
        return Check("Convergence", "passed", f"{text[:1].upper()}{text[1:]}")
    todo = "What to do: see to the checks above first, then refit(fit), which goes on from here, and all_fit(fit)."
    return Check("Convergence", "look", f"{check.text} {todo} [MX102]")


def _others(fit: AnyFit, audit: DesignAudit) -> Iterator[Check]:
    """Warnings that no other check tells of."""
    for notice in fit.notices:
        if notice.category in TOLD or notice.identifier in audit.identifiers:
            continue
        if notice.category is SeparationWarning and "MX107" in audit.identifiers:
            continue
        name = notice.name.removesuffix("Warning")
        yield Check(name, "look", f"{notice.text[:1].upper()}{notice.text[1:]} [{notice.identifier}]")


def _overdispersion(fit: GeneralisedFit) -> Iterator[Check]:
    """Whether counts vary more than their family says."""
    try:
        found = check_overdispersion(fit)
    except MixsemError:  # responses that cannot: 0 and 1, and families with a dispersion of their own
        return
    row = found.frame.iloc[-1]
    p = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.3f}"
    ratio = f"Pearson residuals vary {row['ratio']:.2f} times as much as the family says ({p})."
    verdict: Verdict = "look" if row["p_value"] < DOUBTFUL else "passed"
    yield Check("Overdispersion", verdict, " ".join([ratio, *found.notes]))


def _quadrature(fit: GeneralisedFit) -> Iterator[Check]:
    """How well the likelihood was computed."""
    name = "Quadrature"
    if fit.n_agq > 1:
        yield Check(name, "passed", f"Adaptive Gauss-Hermite quadrature with {fit.n_agq} nodes.")
    elif fit.n_agq == 0:
        yield Check(
            name, "look", "This is n_agq=0, fast and rough: fixed effects are too near to 0. Report n_agq=1 or more."
        )
    elif not is_scalar(fit):
        text = "Laplace's approximation; with several random effects there is no quadrature to compare it with."
        if fit.family.has_trials:
            text += " With few binary responses per level variances are too small: bootstrap(fit) tells by how much."
        yield Check(name, "to know", text)
    elif not may_profile(fit):
        yield Check(name, "to know", "Laplace's approximation; check_quadrature(fit) compares it, which takes a while.")
    else:
        found = check_quadrature(fit)
        text = f"Laplace's approximation, compared with quadrature with {found.fit.n_agq} nodes. {found.notes[-1]}"
        yield Check(name, "look" if found.matters else "passed", text)
