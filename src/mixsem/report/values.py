"""From values to text: numbers with the right digits, labels made safe for each kind of output."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, SupportsFloat, SupportsIndex, cast

__all__ = [
    "Format",
    "display_width",
    "enough_decimals",
    "escape_html",
    "escape_latex",
    "escape_markdown",
    "format_value",
    "group_sizes",
    "is_missing",
    "one_line",
    "pad",
    "plural",
]

Format = Literal[
    "text",
    "integer",
    "decimal1",
    "decimal2",
    "decimal3",
    "decimal4",
    "decimal5",
    "decimal6",
    "decimal7",
    "decimal8",
    "p",
]
"""How the values of a column are written. ``"p"``: three decimals, "<0.001" below."""

_DECIMALS = {**{f"decimal{n}": n for n in range(1, 9)}, "p": 3}
_ENOUGH: tuple[Format, ...] = ("decimal3", "decimal4", "decimal5", "decimal6", "decimal7", "decimal8")

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "<": r"$<$",
    ">": r"$>$",
    "∞": r"$\infty$",
    "−": r"$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "√": r"$\surd$",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "°": r"\textdegree{}",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{NO-BREAK SPACE}": "~",
    **{
        sign: rf"$\{name}$"
        for sign, name in zip(
            "αβγδεζηθικλμνξπρστφχψω",
            (
                "alpha",
                "beta",
                "gamma",
                "delta",
                "varepsilon",
                "zeta",
                "eta",
                "theta",
                "iota",
                "kappa",
                "lambda",
                "mu",
                "nu",
                "xi",
                "pi",
                "rho",
                "sigma",
                "tau",
                "varphi",
                "chi",
                "psi",
                "omega",
            ),
            strict=True,
        )
    },
    **{
        sign: rf"$\{name}$"
        for sign, name in zip(
            "ΓΔΘΛΞΠΣΦΨΩ",
            (
                "Gamma",
                "Delta",
                "Theta",
                "Lambda",
                "Xi",
                "Pi",
                "Sigma",
                "Phi",
                "Psi",
                "Omega",
            ),
            strict=True,
        )
    },
}


def format_value(value: object, form: Format) -> str:
    """Write one value: missing as blank, infinite as ∞, never ``-0.00``.

    Parameters
    ----------
    value
        A number, text, truth value, None or NaN.
    form
        How to write a number. Anything that is not a number is written as text, truth values as yes and no.

    Examples
    --------
    >>> format_value(46669, "integer"), format_value(-0.0004, "decimal3"), format_value(0.0002, "p")
    ('46,669', '0.000', '<0.001')
    >>> format_value(float("nan"), "decimal2"), format_value(float("inf"), "decimal2")
    ('', '∞')
    """
    if is_missing(value):
        return ""
    if type(value).__name__ in ("bool", "bool_"):
        return "yes" if value else "no"
    if form == "text" or isinstance(value, str) or not hasattr(value, "__float__"):
        return one_line(value)
    number = float(cast(SupportsFloat, value))
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    if form == "p" and number < 0.001:
        return "<0.001"
    if form == "integer" and hasattr(value, "__index__"):
        return f"{int(cast(SupportsIndex, value)):,}"
    return f"{number:z,.{_DECIMALS.get(form, 0)}f}"


def enough_decimals(values: Iterable[float]) -> Format:
    """Three decimals, or as many (up to eight) as show two digits of the smallest value that is not zero or missing.

    Examples
    --------
    >>> enough_decimals([25.6, 0.5, 0.0]), enough_decimals([25.6, 0.00041])
    ('decimal3', 'decimal5')
    """
    sizes = [abs(v) for v in values if v and math.isfinite(v)]
    needed = 1 - math.floor(math.log10(min(sizes))) if sizes else 0
    return _ENOUGH[min(max(needed - 3, 0), len(_ENOUGH) - 1)]


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, or a missing value of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return hasattr(value, "__float__") and not isinstance(value, str) and math.isnan(float(value))


def one_line(value: object) -> str:
    """Text without line breaks and control characters, whatever a label contains."""
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in str(value))
    return re.sub(r"\s+", " ", text).strip()


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Count and noun: "1 group", "2,000 groups"."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def group_sizes(n: Sequence[int]) -> str:
    """People per group in words: "25 to 2,118 people" or "150 people each"."""
    low, high = min(n), max(n)
    return f"{low:,} to {high:,} people" if low < high else f"{low:,} people" + " each" * (len(n) > 1)


def display_width(text: str) -> int:
    """Columns that a text takes on a console: wide characters two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, align: str) -> str:
    """Fill a text with blanks to a width on the console."""
    space = max(width - display_width(text), 0)
    if align == "right":
        return " " * space + text
    if align == "center":
        return " " * (space // 2) + text + " " * (space - space // 2)
    return text + " " * space


def escape_html(text: object) -> str:
    """Escape a label for HTML text and attributes."""
    return html.escape(one_line(text), quote=True)


def escape_markdown(text: str) -> str:
    """Escape what Markdown or HTML inside it would take for markup, or for the name of a character."""
    return re.sub(r"([\\`*_\[\]<>|~#$]|&(?=#?\w+;))", r"\\\1", text)


def escape_latex(text: str) -> str:
    r"""Escape what LaTeX would take for a command, and write signs that its fonts lack as mathematics.

    Letters of other scripts stay: XeLaTeX and LuaLaTeX set them, pdfLaTeX only those of European languages.

    Examples
    --------
    >>> print(escape_latex("χ² of a_b -- 50%"))
    $\chi$\textsuperscript{2} of a\_b -{}- 50\%
    """
    hyphens = re.sub("-(?=-)", "-\0", text)  # two of them would become a dash
    return "".join(_LATEX.get(c, c) for c in hyphens).replace("\0", "{}")
