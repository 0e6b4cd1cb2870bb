"""The frame of the HTML report: one page, its style, and the pieces that sections are made of."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from .render import WIDEST, split_columns
from .table import Table
from .values import escape_html

__all__ = ["Section", "block", "definitions", "figure_html", "html_page", "paragraph", "table_box"]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes
    ----------
    name
        Its anchor.
    title
        Its heading, plain text.
    body
        Its content, HTML.
    """

    name: str
    title: str
    body: str


STYLE = """
:root{color-scheme:light;--ink:#1f2328;--muted:#57606a;--line:#d0d7de;--faint:#f6f8fa;--accent:#0b5394}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:#fff;color:var(--ink);line-height:1.55;overflow-wrap:break-word;
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif}
main,header,footer{max-width:1160px;margin:0 auto;padding:0 24px}
header{padding-top:36px;border-bottom:1px solid var(--line);padding-bottom:20px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.35rem;margin:2.6rem 0 .8rem;padding-bottom:.3rem;border-bottom:2px solid var(--ink)}
h3{font-size:1.05rem;margin:1.8rem 0 .4rem}
p,li,dd{max-width:78ch}
p.lead{font-size:1.12rem;margin:.2rem 0 .8rem}
a{color:var(--accent)}
nav ul{list-style:none;padding:0;margin:.8rem 0 0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:#fff;padding:.4rem}
.key{display:flex;flex-wrap:wrap;gap:.6rem 2.4rem;margin:1rem 0 0}
.key div{display:flex;flex-direction:column-reverse}
.key dt{font-size:.82rem;color:var(--muted)}.key dd{margin:0;font-size:1.5rem;font-weight:600;line-height:1.2}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.4rem;margin:.6rem 0}
dl.facts dt{color:var(--muted)}dl.facts dd{margin:0;overflow-wrap:anywhere}
dl.notices dt{font-weight:600;margin-top:.7rem}dl.notices dd{margin:.1rem 0 0}
pre{background:var(--faint);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;
 font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;
 overflow-wrap:anywhere;margin:.4rem 0 1rem}
.box{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;border-top:2px solid var(--ink);border-bottom:2px solid var(--ink);
 font-size:.9rem;font-variant-numeric:tabular-nums}
caption{caption-side:top;text-align:left;font-weight:600;padding:.2rem 0 .4rem}
th,td{padding:.28rem .7rem;font-weight:400;vertical-align:baseline}
thead th{font-weight:600;border-bottom:1px solid var(--ink);white-space:nowrap}
thead tr.over th{border-bottom:1px solid var(--line)}
tbody th{text-align:left}
tbody tr:nth-child(even){background:var(--faint)}
tr.rule>*{border-top:1px solid var(--ink)}
.l{text-align:left}.r{text-align:right;white-space:nowrap}.c{text-align:center}
p.note{font-size:.85rem;color:var(--muted);margin:.3rem 0}
figure{margin:1.4rem 0;break-inside:avoid}
figure svg{display:block;background:#fff}
figcaption{font-size:.9rem;color:var(--muted);max-width:78ch;margin-top:.5rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:0 2rem;align-items:end}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:1rem;margin:1rem 0}
.card{border:1px solid var(--line);border-top:5px solid;border-radius:6px;padding:.6rem .9rem .8rem}
.card h3{margin:0}.card p{margin:.2rem 0 .4rem;overflow-wrap:anywhere}.card p.size{color:var(--muted);font-size:.9rem}
.card .unsure{border-bottom:1px dashed}
details{margin:1rem 0}summary{cursor:pointer;font-weight:600}
footer{margin-top:3rem;padding-top:1rem;padding-bottom:2.5rem;border-top:1px solid var(--line);color:var(--muted);
 font-size:.88rem}
@media(max-width:640px){.picture{overflow-x:auto}figure svg{min-width:min(var(--wide),600px)}
 thead tr.over th{text-align:left}dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.5rem}main,header,footer{
 padding-left:16px;padding-right:16px}}
@media print{@page{margin:16mm}.pair{grid-template-columns:1fr 1fr}.cards{grid-template-columns:1fr 1fr 1fr}
 body{font-size:10.5pt}main,header,footer{max-width:none;padding-left:0;padding-right:0}
 nav,.skip{display:none}h2{break-after:avoid}h3{break-after:avoid}.card,dl.notices dd,tr{break-inside:avoid}
 summary{break-after:avoid}.box{overflow:visible;break-inside:avoid}.picture{overflow:visible}
 table{font-size:8pt}th,td{padding:.15rem .35rem}thead th{white-space:normal}
 pre{white-space:pre-wrap}figure svg{max-height:235mm}
 details::details-content{content-visibility:visible;block-size:auto}
 a{color:inherit;text-decoration:none}}
"""


def html_page(title: str, head: str, sections: Sequence[Section], foot: str) -> str:
    """Put the report together; it needs no network and no other file.

    Parameters
    ----------
    title
        Title of the page, plain text.
    head, foot
        Content above and below the sections, HTML.
    sections
        The parts, in order.
    """
    links = "".join(f'<li><a href="#{s.name}">{escape_html(s.title)}</a></li>' for s in sections)
    body = "\n".join(
        f'<section id="{s.name}" aria-labelledby="{s.name}-heading">'
        f'<h2 id="{s.name}-heading">{escape_html(s.title)}</h2>\n{s.body}</section>'
        for s in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape_html(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#{sections[0].name}">Skip to the content</a>\n'
        f"<header>\n<h1>{escape_html(title)}</h1>\n{head}\n"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n</header>\n'
        f"<main>\n{body}\n</main>\n<footer>{foot}</footer>\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape_html(text)}</p>"


def definitions(pairs: Sequence[tuple[str, str]], kind: str = "facts") -> str:
    """A list of terms and texts; ``"key"`` sets them as large numbers."""
    wrap = ("<div>", "</div>") if kind == "key" else ("", "")
    items = "".join(f"{wrap[0]}<dt>{escape_html(a)}</dt><dd>{escape_html(b)}</dd>{wrap[1]}" for a, b in pairs)
    return f'<dl class="{kind}">{items}</dl>'


def block(text: str) -> str:
    """Model text or code, as it stands."""
    lines = textwrap.dedent(text.expandtabs(4)).strip("\n").splitlines()
    printable = ("".join(c for c in line.rstrip() if c.isprintable()) for line in lines)
    return f"<pre><code>{html.escape(chr(10).join(printable))}</code></pre>"


def table_box(table: Table) -> str:
    """A table that scrolls by itself where the page is narrow; a very wide one is split between groups of columns."""
    return "".join(
        f'<div class="box" role="region" aria-label="{escape_html(part.title or "Table")}" tabindex="0">'
        f"{part.to_html()}</div>"
        for part in split_columns(table, WIDEST)
    )


def figure_html(svg: str, caption: str) -> str:
    """A figure with its caption; on a phone it scrolls rather than shrink until its words cannot be read."""
    return f'<figure><div class="picture">{svg}</div><figcaption>{escape_html(caption)}</figcaption></figure>'
