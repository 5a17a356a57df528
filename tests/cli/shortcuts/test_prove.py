"""`steelsight shortcuts prove`: stain, end, a list; the page's numbers are the JSON's; bad input."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import SMALL, make_sheets, write_sheets
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

# A number, or a share of a hundred, in print; hyphens of exponents do not break.
PRINTED = re.compile(r"(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?(?:e[\u2011-]\d+)?%?")


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def run_and_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("prove")
    learnt = write_sheets(make_sheets(120, stains=(0.6, 0.0), seed=1), root / "learnt")
    judged = write_sheets(make_sheets(100, stains=(0.4, 0.0), ends=(0.2, 0.2), seed=2), root / "judged")
    train_run(learnt, recipe=load_recipe("default", SMALL), out=root / "run")
    return root / "run", judged


def _prove(run: Path, data: Path, out: Path, *options: str) -> dict[str, Any]:
    arguments = ["shortcuts", "prove", str(run), str(data), "--out", str(out), "--json", *options]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    assert printed.pop("out") == str(out)
    assert printed == json.loads((out / "proof.json").read_text())
    assert (
        f"{printed['proof']['nuisance']} → {printed['proof']['suspect']}: {printed['proof']['verdict']}"
        in done.output
    )
    return printed


def test_a_stain_and_every_number_of_its_page(run_and_data: tuple[Path, Path], tmp_path: Path) -> None:
    printed = _prove(*run_and_data, tmp_path, "--nuisance", "stain", "--split", "all")
    proof = printed["proof"]
    assert (printed["sheets"], proof["source"], proof["suspect"]) == (100, "detector", "none")
    assert (proof["on_margins"]["without"], proof["on_margins"]["with_it"]) == (30, 20)
    assert proof["pasted"]["receivers"] >= 40
    assert proof["reverse"]["sheets"] == 20
    assert len(printed["examples"]) == 3
    known = set(_readings(printed))
    page = html.unescape((tmp_path / "proof.html").read_text())
    for wanted in ("Verdict", "The study's test", "Pasted on sheets of another class", "Stains removed"):
        assert wanted in page
    unknown = [number for number in _printed(page) if number not in known]
    assert unknown == []


def test_an_end(run_and_data: tuple[Path, Path], tmp_path: Path) -> None:
    proof = _prove(*run_and_data, tmp_path, "--nuisance", "edge", "--split", "all", "--limit", "9")["proof"]
    assert (proof["nuisance"], proof["suspect"], proof["reverse"]) == ("end", "defect", None)
    assert proof["pasted"]["receivers"] <= 9


def test_a_list_and_drawn_groups(run_and_data: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "shift.csv"
    names = [f"none/sheet_{row:03}.jpg" for row in range(0, 40, 2)]
    ids = _ids(run_and_data[1], names)
    path.write_text("ImageId\n" + "\n".join(ids))
    printed = _prove(
        *run_and_data, tmp_path / "out", "--nuisance", str(path), "--split", "all", "--each", "15"
    )["proof"]
    assert (printed["nuisance"], printed["source"]) == ("shift", "list")
    assert (printed["on_margins"]["without"], printed["on_margins"]["with_it"]) == (15, 15)


def _ids(data: Path, names: list[str]) -> list[str]:
    """The sheets' names as the package gives them."""
    from steelsight.sheets.catalog import open_data

    known = {str(item.path.relative_to(data)): item.id for item in open_data(data).items}
    return [known[name] for name in names]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nuisance", "rust"], "expected stain, end, or a CSV file"),
        (["--nuisance", "stain", "--split", "some"], "--split: expected one of"),
        (["--nuisance", "stain", "--suspect", "type 2"], "--suspect: expected one of none, defect"),
        (["--nuisance", "stain", "--material", "wood"], "--material: expected one of"),
        (["--nuisance", "stain", "--groups-from", "truth"], "expected truth.csv"),
        (["--nuisance", "absent"], "absent.csv: 1 of 1 listed sheets are not in judged"),
    ],
)
def test_bad_input_ends_with_code_2(
    run_and_data: tuple[Path, Path], tmp_path: Path, options: list[str], message: str
) -> None:
    listed = tmp_path / "absent.csv"
    listed.write_text("ImageId\nabsent.jpg\n")
    arguments = [str(listed) if option == "absent" else option for option in options]
    run, data = run_and_data
    done = CliRunner().invoke(
        app, ["shortcuts", "prove", str(run), str(data), "--out", str(tmp_path), *arguments]
    )
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def _printed(page: str) -> Iterator[str]:
    """Numbers in what a reader sees, apart from what names and explains: headings, provenance, pictures."""
    body = page[page.index("<main") : page.index("Provenance")]
    body = re.sub(
        r"<(style|script|svg|h1|h2|nav|header)\b.*?</\1>|<img[^>]*>|<[^>]+>", " ", body, flags=re.DOTALL
    )
    body = body.replace("H0: P(X", "H: P(X")
    yield from (match.group() for match in PRINTED.finditer(body))


def _readings(value: Any) -> Iterator[str]:
    """Every way in which the JSON's numbers may be printed."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _readings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _readings(each)
    elif isinstance(value, str):
        yield from PRINTED.findall(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        for number in {value, 100 * value}:
            for form in (",.0f", ".1f", ".2f", ".3f", ".1e", ".2g"):
                text = format(np.float64(number), form).replace("e-", "e\u2011")
                yield from (text, f"{text}%", text.replace("-", "−"))
