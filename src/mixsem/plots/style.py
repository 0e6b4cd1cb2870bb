"""What all figures share: colours that colour-blind readers can tell apart, markers, plain axes.

Colours are those of Okabe & Ito (2008), https://jfly.uni-koeln.de/color/. Vermilion is no cluster's colour, so that
a choice or a negative regression is not taken for a cluster.
"""

from __future__ import annotations

import io
import textwrap
import warnings

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from ..report.values import one_line

__all__ = [
    "ACCENT",
    "FAINT",
    "INK",
    "MUTED",
    "NEGATIVE",
    "POSITIVE",
    "cluster_color",
    "cluster_marker",
    "dress",
    "new_figure",
    "plain",
    "readable_on",
    "text_width",
    "tint",
    "wrap",
]

Color = tuple[float, float, float]

INK, MUTED, FAINT = "#222222", "#666666", "#D9D9D9"
POSITIVE, NEGATIVE = "#222222", "#C2410C"
#: Draws the eye to the one thing that matters in a figure.
ACCENT = "#C2410C"

_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7A6A53", "#9467BD", "#B8B000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")


def cluster_color(cluster: int) -> Color:
    """Colour of a cluster (numbered from 1), the same in all figures; after eight clusters they come again."""
    return to_rgb(_COLORS[(cluster - 1) % len(_COLORS)])


def cluster_marker(cluster: int) -> str:
    """Marker of a cluster, so that a figure reads in black and white; it shifts when the colours come again."""
    return _MARKERS[(cluster - 1 + (cluster - 1) // len(_COLORS)) % len(_MARKERS)]


def tint(color: str | Color, share: float) -> Color:
    """Mix a colour with white: 0 is white, 1 the colour."""
    r, g, b = to_rgb(color)
    return (1 - share + share * r, 1 - share + share * g, 1 - share + share * b)


def readable_on(color: str | Color) -> str:
    """Ink or white, whichever contrasts more with a background."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.066 else INK


class NotebookFigure(Figure):
    """A figure without a window that shows itself in a notebook, also where pyplot was never imported."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture with twice as many pixels as it is wide on the screen, and that width."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=192)
        width, height = (round(96 * float(inches)) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """A figure of its own, in inches; `constrained` leaves the placing of axes to matplotlib."""
    return NotebookFigure(figsize=(width, height), layout="constrained" if constrained else None, facecolor="white")


def dress(ax: Axes, *, grid: str = "") -> None:
    """Plain axes: no box, grey ticks, a faint grid behind the data where it helps reading values."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, width=0.8, length=3)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(size=9, color=INK)
    ax.title.set(size=10, color=INK)
    if grid in ("x", "y"):
        ax.grid(axis=grid, color=FAINT, linewidth=0.6, zorder=0)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def plain(label: object) -> str:
    """A label on one line in which a dollar sign is a dollar sign, not mathematics."""
    return one_line(label).replace("$", r"\$")


def text_width(text: str, size: float) -> float:
    """Width of a text in inches, as set in the usual font of figures."""
    with warnings.catch_warnings():
        # A character that the font lacks is reported when the figure is drawn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width) / 72


def wrap(label: object, width: int) -> str:
    """A label on several lines, broken at blanks and after underscores, and if need be anywhere."""
    pieces = one_line(label).replace("_", "_ ").split()
    lines = [""]
    # An underscore may stand out by one.
    for piece in (part for whole in pieces for part in textwrap.wrap(whole, width + whole.endswith("_"))):
        space = "" if lines[-1].endswith("_") or not lines[-1] else " "
        if lines[-1] and len(lines[-1] + space + piece) > width:
            lines.append(piece)
        else:
            lines[-1] += space + piece
    return "\n".join(lines).replace("$", r"\$")
