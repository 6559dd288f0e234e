"""The notebooks run from top to bottom, and what is kept of their outputs is whole and tells nothing of a machine."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 600_000


def outputs_of(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_five():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_without_errors_and_without_paths(path):
    notebook = nbformat.read(path, as_version=4)
    outputs = outputs_of(notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
    assert sum("image/png" in output.get("data", {}) or "image/svg+xml" in output.get("data", {}) for output in outputs) >= 2
    assert path.stat().st_size < LARGEST
    assert not re.search(r"/(home|root|tmp|Users|work)/", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_to_notebooks(path):
    notebook = nbformat.read(path, as_version=4)
    links = re.findall(r"\]\((\w+\.ipynb)\)", "".join(cell.source for cell in notebook.cells))
    assert all((FOLDER / link).exists() for link in links)


def run(notebook, folder):
    """Runs its cells, which must give as many outputs of the same kinds as are kept."""
    before = [cell.get("outputs", []) for cell in notebook.cells]
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    for cell, outputs in zip(notebook.cells, before, strict=True):
        assert [output.output_type for output in cell.get("outputs", [])] == [output.output_type for output in outputs]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what Jupyter's own packages warn of
@pytest.mark.parametrize("path", NOTEBOOKS[:1], ids=lambda path: path.stem)  # all of them take minutes even so
@pytest.mark.nightly
def test_it_runs_from_top_to_bottom_in_ten_generations(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r"^(POPULATION, GENERATIONS.* = \d+, )\d+", r"\g<1>10", cell.source, flags=re.MULTILINE)
    run(notebook, tmp_path)


@pytest.mark.nightly
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    run(nbformat.read(path, as_version=4), tmp_path)
