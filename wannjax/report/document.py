"""Parts of a page that is one self-contained file: text, tables and pictures for people who see,
hear or only have a keyboard.

Whatever comes in is plain text and is escaped here; what comes out is HTML. To change how the page
looks, edit `STYLE`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wannjax.pictures.curves import finished
from wannjax.pictures.drawing import svg_text
from wannjax.pictures.page import FOCUS, SCRIPT, with_titles

STYLE = """
:root { color-scheme: light dark; --ink: #20242c; --soft: #4c5361; --paper: #fff; --line: #c9ced8; --shade: #f2f4f8;
  --link: #1f4e8c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaf0; --soft: #b4bac8; --paper: #14171d; --line: #434a58; --shade: #1f242d; --link: #9cc2f5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem clamp(.8rem, 3vw, 2rem) 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); line-height: 1.25; }
h3 { margin: 1.2rem 0 .3rem; }
a { color: var(--link); }
:is(a, button, summary, [tabindex]):focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
p, li { max-width: 46rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; padding: 0; list-style: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .2rem clamp(.35rem, 1.5vw, .8rem); text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: normal; min-width: 6.5rem; overflow-wrap: break-word; }
table td { overflow-wrap: break-word; }
table.figures td, table.figures thead th + th { text-align: right; white-space: nowrap; }
.scroll { overflow: auto; }
details .scroll { max-height: 28rem; }
pre { overflow: auto; max-height: 32rem; white-space: pre-wrap; overflow-wrap: anywhere;
  padding: .8rem; background: var(--shade); border: 1px solid var(--line); border-radius: 4px;
  font: 14px/1.45 ui-monospace, monospace; }
code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); width: fit-content; }
figure { margin: .8rem 0; max-width: 44rem; }
figure.explore { max-width: none; }
figcaption { color: var(--soft); }
.picture { background: #fff; border: 1px solid var(--line); border-radius: 4px; padding: .3rem; overflow: hidden;
  width: fit-content; max-width: 100%; }
.picture svg { display: block; width: var(--width); max-width: 100%; height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: .2rem 1.5rem; }
.explore svg { cursor: grab; touch-action: pan-y; width: min(var(--width), 46rem * var(--ratio)); }
.explore svg text { user-select: none; }
.explore button { font: inherit; min-width: 2.75rem; min-height: 2.75rem; margin: 0 .4rem .4rem 0; color: var(--ink);
  background: var(--shade); border: 1px solid var(--soft); border-radius: 4px; cursor: pointer; }
ol.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 10rem), 1fr)); gap: .8rem; padding: 0;
  list-style: none; }
.strip svg { width: min(var(--width), 8.4rem * var(--ratio)); }
.strip p { margin: .2rem 0; font-size: .9rem; line-height: 1.35; }
@media (max-width: 40rem) {
  .explore .picture { overflow: auto; max-height: 80vh; }
  .explore svg { width: min(var(--width), 64rem); max-width: none; touch-action: pan-x pan-y; }
  table.stacked :is(tbody, tr, th, td) { display: block; border: 0; padding: 0; }
  table.stacked thead { display: none; }
  table.stacked tr { padding: .45rem 0; border-bottom: 1px solid var(--line); }
  table.stacked tbody th { font-weight: 600; }
  table.stacked td + td { color: var(--soft); }
}
@media print { .explore button, nav { display: none; } details .scroll, pre { max-height: none; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The page asks the browser to load nothing, whatever is in it."""

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_PART = re.compile(r"(node|trunk|connection)-")


def page(title: str, lead: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """The whole page: `sections` are (id, heading, HTML), `lead` is the HTML above them."""
    links = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections)
    body = "\n".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(heading)}</h2>\n{content}</section>'
        for name, heading, content in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}{FOCUS}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1>\n{lead}<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f"<main>\n{body}\n</main>\n<script>{SCRIPT}{_BUTTONS}</script>\n</body>\n</html>\n"
    )


_BUTTONS = """
for (const figure of document.querySelectorAll('.explore')) {
  const press = explore(figure.querySelector('svg'), figure);
  for (const button of figure.querySelectorAll('button')) button.addEventListener('click', () => press(button.value));
}
"""


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def preformatted(text: str, label: str) -> str:
    """Text to read as it stands, which the keyboard can scroll."""
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>\n'


def folded(summary: str, content: str) -> str:
    """HTML `content` that is shown when its summary is chosen."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}</details>\n"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True, stacked: bool = False) -> str:
    """A table whose first column names its rows. Columns of `figures` stand to the right. The cells
    of a row of a `stacked` one stand below each other where the page is narrow.
    """
    # Where the cells of a table are blocks, only roles tell a screen reader that it is one.
    whole, line, name, cell = (f' role="{role}"' if stacked else "" for role in ("table", "row", "rowheader", "cell"))
    top = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    lines = "\n".join(
        f'<tr{line}><th scope="row"{name}>{escape(row[0])}</th>' + "".join(f"<td{cell}>{escape(text)}</td>" for text in row[1:]) + "</tr>"
        for row in rows
    )
    kind = (' class="figures"' if figures else ' class="stacked"' if stacked else "") + whole
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table{kind}><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>\n"
    )


def plotted(plot: Callable[[Axes], None], alternative: str, size: tuple[float, float] = (5.2, 3.5)) -> str:
    """A figure of one plot as an SVG, small enough for its letters to be read on a phone."""
    figure = Figure(figsize=size, layout="constrained")
    plot(figure.subplots())
    return with_titles(svg_text(finished(figure, None)), alternative, {})


def picture(svg: str, name: str, caption: str = "") -> str:
    """An SVG, whose title is its alternative text, in the page; `name` is its own within the
    page.
    """
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><div class="picture">{inlined(svg, f"{name}-")}</div>{below}</figure>\n'


def explorable(svg: str, caption: str) -> str:
    """A drawing to zoom and to move, with the mouse, by touch or by keys; one a page."""
    buttons = "".join(
        f'<button type="button" value="{key}" aria-label="{label}">{sign}</button>'
        for key, label, sign in (
            ("+", "Zoom in", "+"),
            ("-", "Zoom out", "−"),
            ("ArrowLeft", "Move left", "←"),
            ("ArrowRight", "Move right", "→"),
            ("ArrowUp", "Move up", "↑"),
            ("ArrowDown", "Move down", "↓"),
            ("0", "Show all", "all"),
        )
    )
    return (
        f'<figure class="explore"><div role="group" aria-label="Zoom">{buttons}</div>'
        f'<div class="picture" tabindex="0" role="group" aria-label="Drawing: plus, minus, arrow keys and 0 zoom and move it">'
        f"{inlined(svg, '')}</div><figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def strip(pictures: Iterable[tuple[str, str]], name: str) -> str:
    """Small SVGs in order, each with what is said below it."""
    items = "\n".join(
        f'<li><div class="picture">{inlined(svg, f"{name}{number}-")}</div><p>{escape(caption)}</p></li>'
        for number, (svg, caption) in enumerate(pictures)
    )
    return f'<ol class="strip">\n{items}\n</ol>\n'


def inlined(svg: str, prefix: str) -> str:
    """An SVG as an element of a page, which has its width and its ratio of width to height as CSS
    variables; ids without use gone, the others with `prefix`; numbers shortened.

    Without a prefix the ids of a network's parts stay, by which a drawing is explored.
    """
    root = ElementTree.fromstring(svg)
    width, height = (float(root.attrib.pop(side).removesuffix("pt")) for side in ("width", "height"))
    root.set("style", f"--width: {width * 4 / 3:.0f}px; --ratio: {width / height:.3f}")
    text = ElementTree.tostring(root, encoding="unicode")
    used = {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)}
    for element in root.iter():
        name = element.attrib.pop("id", "")
        if name in used or (not prefix and _PART.match(name)):
            element.set("id", prefix + name)
        if _HREF in element.attrib:
            element.set(_HREF, "#" + prefix + element.attrib[_HREF].removeprefix("#"))
        for key, value in element.attrib.items():
            if "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}"))
        for key in ("d", "points"):
            if key in element.attrib:
                short = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), element.attrib[key])
                element.set(key, " ".join(short.split()))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _HREF[1:].split("}")[0])
    return ElementTree.tostring(root, encoding="unicode")
