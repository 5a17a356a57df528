"""States and reasons of verdicts: the stored text is unchanged, and names of later versions are kept."""

import json

import pytest
from sqlalchemy import select
from tests.ledger.conftest import sheet, verdict

from steelsight.ledger.chain.canonical import first_hash, link_entry, read_link
from steelsight.ledger.chain.entries import LedgerRegion
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer
from steelsight.types import Reason, Region, State


def linked(entry):
    place = {
        "writer": "line-1",
        "seq": 1,
        "epoch": 1,
        "time_us": 0,
        "previous": first_hash("0" * 32, "line-1"),
    }
    return link_entry(entry, **place)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("reason", Reason)
def test_the_bytes_are_those_of_the_text(state, reason):
    by_member = verdict(sheet(0), state=state, reason=reason)
    by_text = verdict(sheet(0), state=state.value, reason=reason.value)
    assert linked(by_member).body == linked(by_text).body
    stored = json.loads(linked(by_member).body)["data"]
    assert (stored["state"], stored["reason"]) == (state.value, reason.value)
    again = read_link(linked(by_text).body).entry
    assert again.state is state
    assert again.reason is reason


def test_names_of_a_later_version_are_read_verified_and_rebuilt(ledger):
    seen = sheet(0)
    later = verdict(seen, state="second_opinion", reason="two_bundles_differ")
    assert read_link(linked(later).body).entry == later
    with open_writer(ledger, "line-1") as writer:
        writer.append([seen, later])
    rebuild(ledger)
    with ledger.read() as connection:
        row = connection.execute(select(schema.verdicts)).one()
    assert (row.state, row.reason) == ("second_opinion", "two_bundles_differ")
    assert verify(ledger).clean


def test_a_region_of_a_verdict_is_one_of_the_ledger():
    region = Region((1, 2, 30, 40), 900, 0.5)
    assert LedgerRegion.of(region) == LedgerRegion(box=(1, 2, 30, 40), area_px=900, score=0.5)
