"""From a bundle and labelled sheets to a bundle with a head of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import steelsight
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.cli import app
from steelsight.errors import AdaptationRefused, BadData, BadRecipe
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.parity.verify import verify_bundle

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = AdaptOptions(folds=3, repeats=1)
Make = Callable[..., Path]


def test_a_bundle_learns_from_labelled_sheets(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    old = make_bundle()
    data = make_data(COUNTS)
    adapted = adapt_bundle(old, data, tmp_path / "new", QUICK)
    assert adapted.comparison.balanced_accuracy.new.estimate > 0.9
    assert adapted.comparison.balanced_accuracy.gain.low > 0
    card = open_bundle(tmp_path / "new").card
    assert card.class_names == ("none", "bar", "block")
    assert card.threshold_by == "cross-validation"
    assert card.threshold_statement.startswith("not certified, about ")
    assert card.usual is None
    verified = verify_bundle(tmp_path / "new", threads=1)
    assert all(each.broken == () for each in verified)
    inspector = steelsight.load(tmp_path / "new", threads=1)
    told = [inspector.inspect(path).label for path in sorted((data / "bar").iterdir())]
    assert told.count("bar") >= 11


def test_the_card_keeps_the_history(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    old = make_bundle(source={"run": "first", "data": "generated"})
    adapt_bundle(old, make_data(COUNTS), tmp_path / "new", QUICK)
    card = open_bundle(tmp_path / "new").card
    assert card.source["run"] == "first"
    (entry,) = card.source["adapted"]
    assert entry["from_model_id"] == open_bundle(old).card.model_id
    assert entry["by_class"] == COUNTS
    assert entry["sheets"] == 36
    assert entry["cross_validated"]["balanced_accuracy"]["gain"]["low"] > 0
    words = (tmp_path / "new" / "README.md").read_text()
    assert "does not sum to the logit" in words
    assert f"36 labelled sheets of `DATA` (none 14, bar 12, block 10), in {36} groups" in words


@pytest.mark.parametrize(("own", "stated"), [(None, "mit"), ("cc-by-4.0", "cc-by-4.0")])
def test_the_licence_is_that_of_the_bundle_unless_another_is_named(
    make_bundle: Make, make_data: Make, tmp_path: Path, own: str | None, stated: str
) -> None:
    given = replace(QUICK, license=own)
    adapt_bundle(make_bundle(source={"license": "mit"}), make_data(COUNTS), tmp_path / "new", given)
    assert f'license: "{stated}"' in (tmp_path / "new" / "README.md").read_text()
    with pytest.raises(BadRecipe, match="--license: expected an identifier"):
        AdaptOptions(license="all rights reserved")


def test_the_card_keeps_the_folds_that_were_used(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    """Three blocks give three folds, whatever was asked for."""
    options = AdaptOptions(folds=5, repeats=1)
    data = make_data({"none": 14, "bar": 12, "block": 3})
    entry = adapt_bundle(make_bundle(), data, tmp_path / "new", options).card.source["adapted"][0]
    assert entry["folds"] == 3
    assert len(entry["penalties_of_folds"]) == 3


def test_an_adapted_bundle_is_adapted_again(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", QUICK)
    both = make_data(COUNTS | {"dots": 8}, "more", seed=3)
    again = adapt_bundle(tmp_path / "new", both, tmp_path / "newer", replace(QUICK, new=("dots",)))
    assert again.card.class_names == ("none", "bar", "block", "dots")
    assert len(again.card.source["adapted"]) == 2
    assert all(each.broken == () for each in verify_bundle(tmp_path / "newer", threads=1))


def test_an_adapted_bundle_is_not_compared_on_its_own_sheets(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    old, data = make_bundle(), make_data(COUNTS)
    adapt_bundle(old, data, tmp_path / "new", QUICK)
    more = replace(QUICK, also=(make_data(COUNTS, "more", seed=3),))
    with pytest.raises(BadData, match=r"fitted to 36 of these 72 sheets.*adapt the bundle it came"):
        adapt_bundle(tmp_path / "new", data, tmp_path / "newer", more)
    assert adapt_bundle(old, data, tmp_path / "newer", more).card.source["adapted"][0]["sheets"] == 72


def test_no_head_is_written_that_is_not_better(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    """Labels without meaning: every class looks the same."""
    data = make_data(COUNTS, looks=dict.fromkeys(COUNTS, "none"))
    with pytest.raises(AdaptationRefused, match=r"not better than its own.*nothing was written") as refused:
        adapt_bundle(make_bundle(), data, tmp_path / "new", QUICK)
    assert not (tmp_path / "new").exists()
    assert refused.value.comparison is not None
    assert refused.value.comparison["balanced_accuracy"]["gain"]["low"] <= 0


def test_the_verb(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    words = ["adapt", make_bundle(), make_data(COUNTS), "--out", tmp_path / "new", "--json", "--repeats", 1]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["card"]["source"]["adapted"][0]["sheets"] == 36
    assert "balanced accuracy" in done.stderr


def test_refusals_end_with_their_exit_codes(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    old = str(make_bundle())
    same = str(make_data(COUNTS, looks=dict.fromkeys(COUNTS, "none")))
    done = CliRunner().invoke(app, ["adapt", old, same, "--out", str(tmp_path / "new"), "--repeats", "1"])
    assert done.exit_code == 1
    assert "AdaptationRefused" in done.stderr
    done = CliRunner().invoke(app, ["adapt", old, same, "--out", str(tmp_path / "new"), "--risk", "2"])
    assert done.exit_code == 2


def test_shares_outside_0_and_1(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="--risk, --delta: expected shares above 0 and below 1"):
        adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", AdaptOptions(delta=1.0))
    with pytest.raises(BadRecipe, match="--delta: expected a finite number, got nan"):
        AdaptOptions(delta=np.nan)
