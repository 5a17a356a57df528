"""Names that stand apart: where names alone say that no file is a mask, the search finds none either."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelsight.sheets.formats.mask_pairs import NamesApart, find_masks
from steelsight.sheets.mask_values import MaskLook

PARTS = ("a", "A", "s1", "s12", "mask", "Label", "gt", "ground", "truth", "bw", "x")
NAMES = st.lists(
    st.tuples(
        st.sampled_from(("", "line/", "masks/", "b/", "b/Ground-Truth/")),
        st.lists(
            st.tuples(st.sampled_from(PARTS), st.sampled_from(("", "_", "-", ".", " "))),
            min_size=1,
            max_size=3,
        ),
        st.sampled_from((".jpg", ".png", ".PNG", ".bmp")),
    ).map(lambda parts: parts[0] + "".join(a + b for a, b in parts[1]) + parts[2]),
    min_size=1,
    max_size=6,
    unique=True,
)
KINDS = st.sampled_from(("mask", "flat", "photograph", "unreadable"))


@settings(max_examples=500)
@given(names=NAMES, kinds=st.lists(KINDS, min_size=6, max_size=6))
def test_no_mask_is_found_among_names_that_stand_apart(names, kinds):
    looks = dict(zip(names, kinds, strict=False))
    if NamesApart().add(names):
        pairs = find_masks(names, lambda id_: MaskLook(looks[id_], (4, 4)))
        assert (pairs.masks, pairs.orphans) == ({}, ())


@settings(max_examples=200)
@given(names=NAMES)
def test_the_order_of_arrival_does_not_matter(names):
    one_by_one = NamesApart()
    for name in reversed(names):
        one_by_one.add([name])
    assert one_by_one.apart == NamesApart().add(names)


def test_names_of_a_camera_stand_apart():
    names = [f"C{coil}_{number:05}@1.5m.jpg" for coil in range(3) for number in range(300)]
    assert NamesApart().add(names)


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg", "a.png"],
        ["a.jpg", "a_label.png"],
        ["a_label.png", "a.jpg"],
        ["a.jpg", "amask.png"],
        ["a.jpg", "b/a.png"],
        ["a.jpg", "masks/b.png"],
        ["a.jpg", "mask_a.png"],
        ["a.jpg", "A-x.png"],
    ],
)
def test_names_that_may_be_masks_do_not(names):
    assert not NamesApart().add(names)
