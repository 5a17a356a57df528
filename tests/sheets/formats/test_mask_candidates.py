"""The chosen names give the same masks as all names do."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steelsight.sheets.formats.mask_candidates import choose_candidates
from steelsight.sheets.formats.mask_pairs import find_masks
from steelsight.sheets.mask_values import MaskLook

FOLDERS = ("", "coil1/", "coil2/", "coil1/cam/", "masks/", "train/ground_truth/", "images/", "a-b/", "a/")
STEMS = (
    "a",
    "a-0",
    "a_mask",
    "a.b",
    "a b",
    "amask",
    "mask_a",
    "label-a",
    "A",
    "a(1)",
    "ab",
    "0",
    "01",
    "0_gt",
)
NAMES = st.builds(
    lambda folder, stem, suffix: f"{folder}{stem}{suffix}",
    st.sampled_from(FOLDERS),
    st.sampled_from(STEMS),
    st.sampled_from((".jpg", ".png", ".bmp")),
)


def look_by(marked):
    """Names that are drawn as masks hold masks, all others photographs."""
    return lambda id_: MaskLook("mask" if id_ in marked else "photograph", (8, 8), (0, 1))


def of(ids, look):
    pairs = find_masks(ids, look)
    return pairs.masks, sorted(pairs.orphans)


@given(st.sets(NAMES, max_size=12), st.data())
@example({"a-0.png", "a.jpg"}, None)
@example({"a-0.png", "a-b/x.jpg", "a.jpg"}, None)
@example({"mask_a.png", "a.jpg"}, None)
@example({"masks/a_x.png", "images/A.jpg", "images/b.jpg"}, None)
def test_masks_of_candidates_are_the_masks_of_all(names, data):
    ids = sorted(names)
    marked = {id_ for id_ in ids if id_.endswith(".png")}
    if data is not None and ids:
        marked = data.draw(st.sets(st.sampled_from(ids)))
    chosen = choose_candidates(lambda: ids)
    assert chosen == [id_ for id_ in ids if id_ in set(chosen)]  # in order, each once
    assert of(chosen, look_by(marked)) == of(ids, look_by(marked))


@pytest.mark.parametrize(
    "ids",
    [
        [
            f"coil{coil:04d}/cam{cam}/{sheet:06d}.jpg"
            for coil in range(9)
            for cam in range(2)
            for sheet in range(40)
        ],
        sorted(f"{number}.jpg" for number in range(300)),
        sorted(f"s_{number}.jpg" for number in range(300)),
        sorted(f"line3-{number}/s{number}.JPG" for number in range(300)),
    ],
)
def test_names_of_plain_archives_need_no_memory(ids):
    assert choose_candidates(lambda: ids) == []
