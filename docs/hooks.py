"""Pages that are made when the site is built: the notebooks, which stay where they are, and the reference, one page for each room."""

import ast
import inspect
import json
import re
import tempfile
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGE = ROOT / "wannjax"
ORDER = (
    *("common", "networks", "genomes", "problems", "search", "analysis", "runs"),
    *("finetuning", "ensembles", "export", "pictures", "report", "cli"),
)
"""The rooms, from the bottom up."""

_copies = tempfile.TemporaryDirectory()  # until the process ends, since pages are rendered after they are listed


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
        files.append(File(f"tutorials/{path.name}", _copies.name, config.site_dir, config.use_directory_urls))
    for room, modules in _rooms().items():
        page = f"# {room}\n\n{_purpose(room)}\n\n" + "".join(f"::: {module}\n\n" for module in modules)
        files.append(File.generated(config, f"api/{room}.md", content=page))
    return files


def on_page_content(html, page, config, files):
    """Formulas are plain text here, so that no script needs to be fetched for them."""
    return re.sub(r'<script[^>]*src="[^"]*(mathjax|require)[^"]*"[^>]*>\s*</script>', "", html, flags=re.IGNORECASE)


def _for_the_site(text: str) -> str:
    """A notebook with links between pages instead of files, and without outputs that need a script to be shown."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = re.sub(r"\]\((\w+)\.ipynb\)", r"](../\1/)", "".join(cell["source"]))
            cell["source"] = re.sub(r"\]\(\.\./docs/(\w+)\.md(#[\w-]+)?\)", r"](../../\1/\2)", source)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("text/latex", None)
    return json.dumps(notebook)


def _purpose(room: str) -> str:
    """What a room is for, as its package says."""
    return inspect.cleandoc(ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or "")


def _rooms() -> dict[str, list[str]]:
    """The modules of every room, in the order of their names."""
    rooms: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) > 2 and not path.name.startswith("_"):
            rooms.setdefault(parts[1], []).append(".".join(parts))
    return {room: rooms[room] for room in sorted(rooms, key=ORDER.index)}
