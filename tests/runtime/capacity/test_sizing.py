"""What is derived from a measured scan: the speed once it runs, and the size of a row."""

import numpy as np
import pyarrow as pa
import pytest

from steelsight.runtime.scan.parts import seal_part
from steelsight.runtime.sizing import _row_bytes, _warm_rate


@pytest.mark.parametrize(
    ("finished", "workers", "rate"),
    [
        ([(3.0, 512), (3.5, 1024), (4.5, 1536), (5.5, 2048)], 2, 512.0),  # 3 s of start are left out
        ([(3.0, 512), (4.0, 1024)], 1, 512.0),
        ([(3.0, 512), (3.5, 1024), (4.5, 1536)], 2, None),  # one process has finished one part alone
        ([(3.0, 100)], 1, None),
        ([(3.0, 512), (3.0, 1024)], 1, None),  # a clock too coarse to tell
    ],
)
def test_the_start_of_a_scan_is_left_out(finished, workers, rate):
    assert _warm_rate(finished, workers) == rate


def test_copies_do_not_make_rows_small():
    values = np.random.default_rng(0).random(480)
    once = pa.table({"value": values, "name": [f"sheet {number}" for number in range(480)]})
    truth = len(seal_part(once)) / 480
    copies = pa.concat_tables([once[:48]] * 10)
    assert len(seal_part(copies)) / 480 < 0.5 * truth
    assert _row_bytes(copies, 48) == pytest.approx(truth, rel=0.3)
    assert _row_bytes(once, 1) == once.nbytes / 480
