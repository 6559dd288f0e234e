"""SVG drawings with a word on every part, and a page to explore one: a single file that reads
nothing else.

To change what the page does, edit `SCRIPT`; it knows the ids node-N, trunk-N and connection-M-N.
"""

import html
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"

_STYLE = """
html, body { margin: 0; height: 100%; font: 14px system-ui, sans-serif; color: #20242c; background: #fff; }
body { display: flex; flex-direction: column; }
p { margin: 0; padding: .5em 1em; color: #555b66; border-bottom: 1px solid #dde1e7; }
svg { flex: 1; min-height: 0; width: 100%; cursor: grab; touch-action: none; }
svg text { user-select: none; }
"""

FOCUS = """
svg.focus [id^=connection-]:not(.on), svg.focus [id^=trunk-]:not(.on) { opacity: .1; }
svg.focus [id^=connection-].on path { stroke-opacity: 1; }
"""
"""How the lines that do not touch what is pointed at fade."""

SCRIPT = """
const explore = (svg, keys) => {
  const whole = svg.getAttribute('viewBox'), active = () => keys == window || keys.contains(document.activeElement);
  const box = () => svg.getAttribute('viewBox').split(' ').map(Number);
  const show = numbers => svg.setAttribute('viewBox', numbers.join(' '));
  const move = (x, y) => {
    const [left, top, width, height] = box(), scale = svg.getScreenCTM().a;
    show([left - x / scale, top - y / scale, width, height]);
  };
  const zoom = (factor, x, y) => {
    const [left, top, width, height] = box(), at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse());
    show([at.x - (at.x - left) * factor, at.y - (at.y - top) * factor, width * factor, height * factor]);
  };
  const press = key => {
    const all = svg.getBoundingClientRect(), seen = svg.parentElement.getBoundingClientRect();
    const x = (Math.max(all.left, seen.left) + Math.min(all.right, seen.right)) / 2;
    const y = (Math.max(all.top, seen.top) + Math.min(all.bottom, seen.bottom)) / 2;
    const acts = { '+': () => zoom(0.8, x, y), '-': () => zoom(1.25, x, y), '0': () => svg.setAttribute('viewBox', whole),
      ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40) };
    if (acts[key]) acts[key]();
    return key in acts;
  };
  svg.addEventListener('wheel', event => {
    if (!active()) return;
    event.preventDefault();
    zoom(Math.exp(event.deltaY / 500), event.clientX, event.clientY);
  });
  svg.addEventListener('pointermove', event => { if (event.buttons) move(event.movementX, event.movementY); });
  keys.addEventListener('keydown', event => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && press(event.key)) event.preventDefault();
  });
  svg.addEventListener('dblclick', () => press('0'));
  svg.addEventListener('pointerover', event => {
    const part = event.target.closest('[id^=node-], [id^=trunk-], [id^=connection-]');
    svg.classList.toggle('focus', part != null);
    for (const line of svg.querySelectorAll('.on')) line.classList.remove('on');
    if (!part) return;
    const [kind, a, b] = part.id.split('-');
    const lines = { node: `#trunk-${a}, [id^=connection-${a}-], [id^=connection-][id$="-${a}"]`,
      trunk: `#trunk-${a}, [id^=connection-${a}-]`, connection: `#trunk-${a}, #connection-${a}-${b}` }[kind];
    for (const line of svg.querySelectorAll(lines)) line.classList.add('on');
  });
  return press;
};
"""
"""`explore(svg, keys)` makes a drawing one to explore, by keys pressed in the element `keys`; the
wheel zooms while that has the focus.
"""


def with_titles(svg: str, heading: str, titles: dict[str, str]) -> str:
    """An SVG whose parts say, when pointed at, what `titles` has for their ids; `heading` is the
    whole's title.
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    root.set("role", "img")
    _add_title(root, heading)
    for element in root.iter(f"{{{_SVG}}}g"):
        name = element.get("id", "")
        if name in titles:
            _add_title(element, titles[name])
        elif name == "curve":
            del element.attrib["id"]
            element.set("pointer-events", "none")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_title(element: ElementTree.Element, text: str) -> None:
    title = ElementTree.Element(f"{{{_SVG}}}title")
    title.text = text
    element.insert(0, title)


def page_of(svg: str, heading: str) -> str:
    """The page that shows `svg`: wheel or + and - zoom, dragging and arrow keys move, 0 shows all
    of it again; pointing at a part fades the rest.
    """
    name = html.escape(heading)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{_STYLE}{FOCUS}</style>\n</head>\n<body>\n"
        "<p>Wheel, + or -: zoom. Drag or arrow keys: move. 0 or double click: all. Point at a node or a line to see what it is.</p>\n"
        f"{svg}<script>{SCRIPT}explore(document.querySelector('svg'), window);</script>\n</body>\n</html>\n"
    )
