"""A bundle with a place head: its evidence in outputs, regions, scans and probes; heat maps stay Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.runtime.conftest import HEIGHT, WIDTH

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.card import BundleCard, GraphFacts
from steelsight.runtime.bundle.open import PROBES_FILE, open_bundle
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.runtime.engine.engine import Outputs, open_engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.regions import find_regions
from steelsight.runtime.parity.verify import pack_probes, verify_bundle
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.run import scan
from steelsight.sheets.images.placement import place
from steelsight.types import InputSpec

FINE = (15, 23)


@pytest.fixture(scope="module")
def graph_with_places() -> bytes:
    torch = pytest.importorskip("torch")
    from steelsight.deploy.graph import build_graph
    from steelsight.models.catalog import ModelSpec, build_model

    spec = ModelSpec(
        name="squeezenet_reduced", outputs=3, head="direct", height=HEIGHT, width=WIDTH, places=4
    )
    model = build_model(spec, generator=torch.Generator().manual_seed(3)).eval()
    torch.manual_seed(0)
    assert model.places is not None
    model.places.start([torch.randn(50, count, 1, 1) for count in (128, 256, 384)])
    with torch.no_grad():
        model.head.conv.weight.mul_(40)  # verdicts that differ from sheet to sheet
    content: bytes = build_graph(model).SerializeToString()
    return content


@pytest.fixture
def make_placed(make_bundle: Callable[..., Path], graph_with_places: bytes) -> Callable[..., Path]:
    def make(places: tuple[int, int] | None = FINE, **changes: Any) -> Path:
        card = open_bundle(make_bundle("plain")).card
        facts = GraphFacts(opset=17, grid=(3, 5), embedding=384, places=places)
        files = {"model.onnx": graph_with_places, **changes.pop("files", {})}
        fields = card.model_dump() | {"graph": facts, "familiarity": None} | changes
        folder = make_bundle("plain").parent / "placed"
        write_bundle(folder, BundleCard(**(fields | {"files": describe_files(files)})), files)
        return folder

    return make


def test_regions_are_found_in_the_evidence_of_the_place_head(
    make_placed: Callable[..., Path], sheets: np.ndarray
) -> None:
    bundle = open_bundle(make_placed())
    outputs = open_engine(bundle, threads=1)(sheets)
    assert outputs.places is not None
    assert outputs.places.shape == (len(sheets), 3, *FINE)
    verdicts = list(Inspector(bundle, open_engine(bundle, threads=1)).stream(list(sheets)))
    defects = 0
    for row, verdict in enumerate(verdicts):
        kind = bundle.card.class_names.index(verdict.label)
        found = find_regions(
            [outputs.places[row, kind]] if kind else [],
            place((HEIGHT, WIDTH), InputSpec(HEIGHT, WIDTH)),
            (HEIGHT, WIDTH),
        )
        assert verdict.regions == found
        defects += bool(found) and verdict.regions != find_regions(
            [outputs.maps[row, kind]], place((HEIGHT, WIDTH), InputSpec(HEIGHT, WIDTH)), (HEIGHT, WIDTH)
        )
    assert defects > 1  # the maps have other regions
    np.testing.assert_array_equal(outputs.only(slice(2)).where, outputs.places[:2])


def test_a_class_without_evidence_of_the_place_head_has_the_regions_of_its_map() -> None:
    maps = np.zeros((1, 3, 3, 5), np.float32)
    maps[0, 1, 1, 2] = 2
    places = -np.ones((1, 3, 15, 23), np.float32)
    places[0, 2, 4, 4] = 1
    outputs = Outputs(np.zeros((1, 3), np.float32), maps, np.zeros((1, 4), np.float32), places)
    first, second = outputs.where_of(0, (1, 2))
    np.testing.assert_array_equal(first, maps[0, 1])
    np.testing.assert_array_equal(second, places[0, 2])


def test_a_scan_gives_the_regions_of_the_inspector(
    make_placed: Callable[..., Path], sheets: np.ndarray, tmp_path: Path
) -> None:
    folder = make_placed()
    (tmp_path / "images").mkdir()
    for number, sheet in enumerate(sheets):
        Image.fromarray(sheet).save(tmp_path / "images" / f"{number:02d}.png")
    scan(folder, [tmp_path / "images"], tmp_path / "results", ScanOptions(heatmaps=True), workers=1)
    table = pq.read_table(next((tmp_path / "results" / "verdicts").glob("*.parquet")))
    inspector = Inspector(open_bundle(folder), open_engine(open_bundle(folder), threads=1))
    for row in table.to_pylist():
        verdict = inspector.inspect(tmp_path / "images" / Path(row["name"]).name)
        boxes = [tuple(each[side] for side in ("left", "top", "right", "bottom")) for each in row["regions"]]
        assert boxes == [region.box for region in verdict.regions]
        assert len(row["maps"]) == 3 * 3 * 5 * 2  # Grad-CAM, on the last grid


def test_probes_hold_the_evidence_and_parity_compares_it(
    make_placed: Callable[..., Path], sheets: np.ndarray
) -> None:
    source = open_engine(open_bundle(make_placed()), threads=1)(sheets)
    sound = make_placed(files={PROBES_FILE: pack_probes(sheets, source)})
    assert all(each.parity.cosine_p5 > 0.999 and not each.broken for each in verify_bundle(sound))
    assert source.places is not None
    turned = type(source)(source.logits, source.maps, source.embedding, -source.places)
    wrong = make_placed(files={PROBES_FILE: pack_probes(sheets, turned)})
    assert all("cosines" in each.broken[0] for each in verify_bundle(wrong))
    without = type(source)(source.logits, source.maps, source.embedding)
    with pytest.raises(BadBundle, match="places: expected float32 of shape"):
        verify_bundle(make_placed(files={PROBES_FILE: pack_probes(sheets, without)}))


@pytest.mark.parametrize("places", [None, (15, 22)])
def test_a_card_that_contradicts_the_graph_is_refused(
    places: tuple[int, int] | None, make_placed: Callable[..., Path]
) -> None:
    with pytest.raises(BadBundle, match=r"expected input images and outputs logits|places: expected"):
        open_bundle(make_placed(places))
