"""Options of a scan."""

from steelsight.runtime.engine.engine import BATCH
from steelsight.runtime.scan.options import DEFAULTS


def test_the_default_batch_is_that_of_the_engine():
    assert DEFAULTS.batch == BATCH
