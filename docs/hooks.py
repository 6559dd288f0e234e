"""Pages that are made when the site is built.

They are the notebooks, which stay where they are, and the reference, one page for each room.
"""

import ast
import json
import re
import tempfile
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGE = ROOT / "wannjax"
ORDER = (
    *("common", "networks", "genomes", "problems", "search", "analysis", "runs"),
    *("finetuning", "ensembles", "sklearn", "export", "pictures", "report", "cli"),
)
"""The rooms, from the bottom up."""

_copies = tempfile.TemporaryDirectory()  # until the process ends: pages are rendered late


def on_config(config):
    for entry in config.nav:
        if "Tutorials" in entry:
            entry["Tutorials"] = [f"tutorials/{path.name}" for path in NOTEBOOKS]
        if "API" in entry:
            entry["API"] += [{room: f"api/{room}.md"} for room in _rooms()]
    return config


@event_priority(100)  # before the plugins, which take the files that there are
def on_files(files, config):
    for path in NOTEBOOKS:
        copy = Path(_copies.name) / "tutorials" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(_for_the_site(path.read_text(encoding="utf-8")), encoding="utf-8")
        files.append(
            File(f"tutorials/{path.name}", _copies.name, config.site_dir, config.use_directory_urls)
        )
    for room, modules in _rooms().items():
        parts = [f"# {room}", _purpose(room), *(f"::: {module}" for module in modules)]
        files.append(File.generated(config, f"api/{room}.md", content="\n\n".join(parts)))
    return files


def on_page_content(html, page, config, files):
    """Without the scripts that a notebook would fetch from elsewhere, for formulas and diagrams."""

    def kept(script):
        return "" if re.search('src=""|mathjax|mermaid', script.group()) else script.group()

    return re.sub(r"<script\b.*?</script>", kept, html, flags=re.DOTALL)


def _for_the_site(text: str) -> str:
    """A notebook with links between pages instead of files, and formulas that need no script."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = re.sub(r"\]\((\w+)\.ipynb\)", r"](../\1/)", "".join(cell["source"]))
            cell["source"] = re.sub(
                r"\]\(\.\./docs/(\w+)\.md(#[\w-]+)?\)", r"](../../\1/\2)", source
            )
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/latex" in data:
                data["text/html"] = _mathml("".join(data.pop("text/latex")))
    return json.dumps(notebook)


def _mathml(latex: str) -> str:
    """Aligned formulas as browsers show them without a script, one below the other."""
    rows = re.sub(r"\\(begin|end){aligned}|[$&\n]", "", latex).split("\\\\")
    return f'<div class="formulas">{"".join(convert(row, display="block") for row in rows)}</div>'


def _purpose(room: str) -> str:
    """What a room is for, as its package says."""
    source = (PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""


def _rooms() -> dict[str, list[str]]:
    """The modules of every room, in the order of their names."""
    rooms: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) > 2 and not path.name.startswith("_"):
            rooms.setdefault(parts[1], []).append(".".join(parts))
    return {room: rooms[room] for room in sorted(rooms, key=ORDER.index)}
