"""The part of the report on propagated memberships: which groups are uncertain once everything counts."""

from __future__ import annotations

from ..mixtures.propagate import PropagatedPosterior
from .classification_tables import OVERCONFIDENT, PROPAGATED, propagated_table
from .mixture_tables import CERTAIN
from .page import figure_html, paragraph, table_box
from .svg import inline_svg
from .values import plural

__all__ = ["propagated_part"]

#: Groups drawn, the least certain ones.
DRAWN = 30


def propagated_part(found: PropagatedPosterior) -> str:
    """Words, figure and table; without uncertain groups the words alone."""
    from ..plots import memberships

    unsure, as_is = int((found.of_fitted < CERTAIN).sum()), int((found.fit.posterior.max(axis=1) < CERTAIN).sum())
    body = f"<h3>With all uncertainty counted</h3>{paragraph(OVERCONFIDENT)}{paragraph(PROPAGATED)}"
    if not unsure:
        return body + paragraph(f"All groups keep a probability of {CERTAIN:.2f} or more.")
    before = str(as_is) if as_is else "none"
    body += paragraph(
        f"{plural(unsure, 'group')} then {'has' if unsure == 1 else 'have'} a probability below {CERTAIN:.2f}; {before}"
        " as the mixture has it."
    )
    caption = "Probability of each group's cluster, as is (hollow) and propagated (filled), the least certain first."
    svg = inline_svg(
        memberships(found, most=DRAWN),
        name="memberships",
        title="Memberships as is and propagated",
        description=caption,
    )
    return body + figure_html(svg, caption) + table_box(propagated_table(found))
