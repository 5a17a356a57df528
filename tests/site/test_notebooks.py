"""The notebooks of docs/notebooks run from top to bottom in an empty folder; stored without outputs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LIMIT_S = 900  # of a cell; a busy machine is no fault of the notebook


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def test_there_are_notebooks():
    assert NAMES == ["explain-any-torch-model.ipynb", "shortcuts-end-to-end.ipynb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_valid_and_without_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            ast.parse(cell.source)


def run(name, folder, monkeypatch):
    """The text that the cells of a notebook gave, by cell."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = read(name)
    client = nbclient.NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [_text(cell) for cell in notebook.cells if cell.cell_type == "code"]


def _text(cell):
    found = [output.get("text", "") for output in cell.outputs]
    found += [str(output.get("data", {}).get("text/html", "")) for output in cell.outputs]
    found += [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    return "\n".join(found)


def test_the_first_explains_a_network_of_its_own(tmp_path, monkeypatch):
    texts = run("explain-any-torch-model.ipynb", tmp_path, monkeypatch)
    shapes = next(text for text in texts if "deeplift" in text)
    assert shapes.count("(3, 64, 400)") == 4
    assert any("<img" in text for text in texts)
    shares = texts[-1].splitlines()
    assert [line.split()[0] for line in shares if line][:1] == ["chance"]


@pytest.mark.long
def test_the_second_plants_finds_proves_repairs_and_gates(tmp_path, monkeypatch):
    texts = run("shortcuts-end-to-end.ipynb", tmp_path, monkeypatch)
    assert any("stain" in text and ("proven" in text or "inconclusive" in text) for text in texts)
    assert (tmp_path / "repair" / "paste").is_dir()
    assert "stain" in texts[-1]
