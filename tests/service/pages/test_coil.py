"""The pages Coils over HTTP: list, map, table, repeat distances, comparison, downloads; who has seen what."""

import csv
import json
import re
import struct
from io import BytesIO, StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select
from tests.service.access.conftest import bearer, code, token_of
from tests.service.pages.conftest import draw_of, sheet_of, verdict_of
from tests.service.pages.test_review import claim

from steelsight.coils.read import coil_extent
from steelsight.ledger.chain.entries import LedgerRegion
from steelsight.ledger.database.reviewing import seen_sheets
from steelsight.ledger.reading.coils import CoilFilter, list_coils
from steelsight.ledger.reading.defects import coil_defects
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.access.roles import Permission, Role
from steelsight.service.pages.coil.addresses import coil_address, coil_of, file_name
from steelsight.service.problem import Problem

HTML = {"accept": "text/html"}
HOSTILE = "=1+1/../<b>\u202ecompare"
DAY_US = 86_400_000_000


def fill_coil(service, coil="C17", count=4, *, drawn=(), station="line-1", labels=("type 1",), **values):
    """Sheets of 1 m one behind the other, each with one defect in its middle; their identities."""
    model = service.bundles.default.bundle.card.model_id
    options = {"length_m": 1.0, **{name: values.pop(name) for name in tuple(values) if name in SHEET}}
    entries, names = [], []
    for number in range(count):
        item = f"{coil}-{number}-{station}"
        seen = sheet_of(number, item=item, coil=coil, position_m=float(number), station=station, **options)
        entries += [seen, *([draw_of(seen)] if number in drawn else [])]
        entries.append(verdict_of(seen, model, **{"label": labels[number % len(labels)], **values}))
        names.append(seen.sheet)
    with open_writer(service.ledger, station) as writer:
        writer.append(entries)
    return names


SHEET = ("length_m", "captured_us", "side")


def unpacked(content):
    """Header and columns of the map, as the script reads them."""
    (length,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + length])
    kinds = {"Float32Array": "<f4", "Uint32Array": "<u4", "Uint16Array": "<u2", "Uint8Array": "u1"}
    found = {
        name: np.frombuffer(content, kinds[kind], size, 4 + length + place)
        for name, kind, place, size in header["columns"]
    }
    return header, found


# ---- addresses ----


@pytest.mark.parametrize(
    "name",
    [
        "C17",
        "compare",
        "..",
        ".",
        "a/b",
        "~x",
        "~",
        "%2e",
        HOSTILE,
        "Bänder 7",
        "漢" * 200,
        "a b?c#d",
        "-",
        "x.",
    ],
)
def test_every_name_has_an_address_of_its_own(name):
    address = coil_address(name)
    segment = address.removeprefix("/coils/")
    assert coil_of(segment) == name
    assert segment.isascii()
    assert not set(segment) & set("/?#%\\ ")
    assert segment.strip(".")
    assert segment != "compare"


@pytest.mark.parametrize("segment", ["~", "~!", "~AAAA", "~_w", "~Li4v=", "~QzE3", "x\0", "", "y" * 201])
def test_what_is_no_name_is_refused(segment):
    with pytest.raises(Problem, match="there is no coil"):
        coil_of(segment)


def test_names_of_files_are_harmless():
    assert file_name(HOSTILE, ".csv") == "coil-1_1_.._b_compare.csv"
    assert file_name("..", ".csv") == "coil-unnamed.csv"
    assert file_name("x" * 300, ".csv") == f"coil-{'x' * 80}.csv"


# ---- the list ----


@pytest.mark.parametrize("role", Role)
def test_every_role_sees_the_list_and_a_coil(closed, member, role):
    fill_coil(closed, probability=0.95)
    client = member(closed, role)
    page = client.get("/coils", headers=HTML)
    assert page.status_code == 200
    assert 'href="/coils/C17"' in page.text
    page = client.get("/coils/C17", headers=HTML)
    assert page.status_code == 200
    assert "1 to 4 of 4" in page.text
    exports = Permission.EXPORT in {
        Permission(each) for each in client.get("/api/v1/me").json()["permissions"]
    }
    assert ("defects.csv" in page.text) is exports
    assert ("/review?sheet=" in page.text) is (role in (Role.OPERATOR, Role.ENGINEER, Role.ADMIN))


def test_the_list_counts_and_filters_on_both_databases(both, member):
    now = now_us()
    fill_coil(both, "Alpha_1", 3, probability=0.95, captured_us=now - 3 * DAY_US)
    fill_coil(both, "alphab1", 2, probability=0.5, station="line-2", captured_us=now - 2 * DAY_US)
    fill_coil(both, "beta", 2, probability=0.95, label="none", captured_us=now - DAY_US)
    with both.ledger.read() as connection:

        def names(**wanted):
            return [row["coil"] for row in list_coils(connection, CoilFilter(**wanted)).rows]

        assert names() == ["beta", "alphab1", "Alpha_1"]
        assert names(part="ALPHA") == ["alphab1", "Alpha_1"]
        assert names(part="a_1") == ["Alpha_1"]  # no wildcard
        assert names(part="%") == names(part="!") == []
        assert names(station="line-2") == ["alphab1"]
        assert names(since_us=now - 2 * DAY_US, until_us=now - DAY_US) == ["alphab1"]
        assert names(part="beta", station="line-2") == []
        first = list_coils(connection, CoilFilter(part="alpha"), limit=1)
        assert [
            row["coil"] for row in list_coils(connection, CoilFilter(part="alpha"), cursor=first.cursor).rows
        ] == ["Alpha_1"]
        rows = {row["coil"]: row for row in list_coils(connection).rows}
    assert rows["Alpha_1"]["decided"] == {"type 1": 3}
    assert (rows["alphab1"]["stations"], rows["alphab1"]["decided"]) == (["line-2"], {})
    client = member(both, Role.VIEWER)
    page = client.get("/coils?name=alpha&station=line-2", headers=HTML)
    assert "alphab1" in page.text
    assert "Alpha_1" not in page.text


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=9999-12-31", "since=0000-00-00", "name=%00", "cursor=x", "other=1"]
)
def test_a_filter_that_is_none_is_refused(closed, member, query):
    assert member(closed).get(f"/coils?{query}").status_code == 422


def test_an_empty_ledger_has_no_coils(closed, member):
    client = member(closed)
    assert "No such coil." in client.get("/coils", headers=HTML).text
    for part in ("", "/table", "/map", "/repeats"):
        assert code(client.get(f"/coils/C17{part}")) == "unknown_coil"
    assert code(client.get("/coils/~AAAA")) == "unknown_coil"
    page = client.get("/coils/C17", headers=HTML)
    assert (page.status_code, "There is no coil" in page.text) == (404, True)


# ---- one coil ----


def test_the_map_holds_what_the_ledger_says(both, member):
    fill_coil(both, count=5, probability=0.95, labels=("type 1", "type 2"))
    fill_coil(both, count=2, station="line-2", probability=0.5, side="top")
    answer = member(both).get("/coils/C17/map")
    assert answer.headers["content-encoding"] == "gzip"
    header, columns = unpacked(answer.content)
    with both.ledger.read() as connection:
        wanted = coil_defects(connection, "C17").defects
        extent = coil_extent(connection, "C17", wanted)
    assert header["count"] == len(wanted) == 7
    assert (header["first_m"], header["length_m"]) == pytest.approx((extent[0], extent[1] - extent[0]))
    assert columns["start"] == pytest.approx([each.place.start_m - extent[0] for each in wanted], abs=1e-4)
    assert columns["right"] == pytest.approx([each.place.right_mm for each in wanted])
    assert [header["labels"][each] for each in columns["label"]] == [each.label for each in wanted]
    assert [header["sides"][each] or None for each in columns["side"]] == [each.side for each in wanted]
    identities = columns["sheet_id"].reshape(-1, 16)
    assert [identities[each].tobytes().hex() for each in columns["sheet"]] == [
        each.members[0][0] for each in wanted
    ]
    states = [header["states"][each] for each in columns["state"]]
    stations = [header["stations"][each] for each in columns["station"]]
    assert (
        sorted(zip(stations, states, strict=True))
        == [("line-1", "decided")] * 5 + [("line-2", "doubtful")] * 2
    )


def test_a_defect_over_a_border_has_the_state_of_the_least_certain_sheet(closed, member):
    model = closed.bundles.default.bundle.card.model_id
    one, other = (sheet_of(each, item=f"b{each}", position_m=float(each), length_m=1.0) for each in (0, 1))
    ends = (LedgerRegion(box=(500, 20, 600, 70), area_px=3000, score=0.7),)
    starts = (LedgerRegion(box=(0, 20, 100, 70), area_px=3000, score=0.9),)
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append([one, verdict_of(one, model, probability=0.95, regions=ends)])
        writer.append([other, verdict_of(other, model, probability=0.5, regions=starts)])
    client = member(closed)
    header, columns = unpacked(client.get("/coils/C17/map").content)
    assert header["count"] == 1
    assert header["states"][columns["state"][0]] == "doubtful"
    assert columns["probability"] == pytest.approx([0.95])
    text = client.get("/coils/C17").text
    for seen in (one, other):
        assert f"/review?sheet={seen.sheet}" in text


def test_what_has_no_place_is_counted_and_not_drawn(closed, member):
    fill_coil(closed, count=3, length_m=None)
    client = member(closed)
    text = client.get("/coils/C17").text
    assert "3 sheets have no known place" in text
    assert "3 places of defects are missing" in text
    header, columns = unpacked(client.get("/coils/C17/map").content)
    assert (header["count"], header["sheets"], header["length_m"]) == (0, 3, 0.0)
    assert np.isnan(columns["sheet_start"]).all()
    assert "No repeat distance was found." in client.get("/coils/C17/repeats").text


def test_new_verdicts_and_no_others_make_the_coil_be_read_again(closed, member):
    fill_coil(closed, count=2)
    client = member(closed)
    kept = client.app.state.coils
    first = kept.of("C17")
    assert kept.of("C17") is first
    fill_coil(closed, "C18", count=1, station="line-2")
    assert kept.of("C17") is first
    fill_coil(closed, count=1, station="line-3")
    assert len(kept.of("C17").coil.defects) == 3
    for number in range(6):
        fill_coil(closed, f"D{number}", count=1, station=f"s{number}")
        kept.of(f"D{number}")
    assert len(kept._kept) == 4


def test_the_table_is_filtered_and_paged(closed, member):
    fill_coil(closed, count=120, labels=("type 1", "type 2", "type 2"), probability=0.95)
    fill_coil(closed, count=1, station="line-2", labels=("type 3",), probability=0.5)
    client = member(closed)
    assert "51 to 100 of 121" in client.get("/coils/C17/table?page=2").text
    assert "101 to 121 of 121" in client.get("/coils/C17/table?page=999").text
    assert "1 to 40 of 40" in client.get("/coils/C17/table?label=type+1").text
    assert "1 to 1 of 1" in client.get("/coils/C17/table?state=doubtful").text
    assert "1 to 1 of 1" in client.get("/coils/C17/table?station=line-2&label=type+3").text
    assert "No defect fits." in client.get("/coils/C17/table?label=%3Cb%3E").text
    page = client.get("/coils/C17?label=type+1&page=1")
    assert '<option value="type 1" selected>' in page.text
    for query in ("page=0", "page=x", "label=" + "x" * 201, "other=1"):
        assert client.get(f"/coils/C17/table?{query}").status_code == 422


def test_head_and_tail_are_counted_by_the_setting(sqlite_ledger, make_service, member):
    service = make_service(sqlite_ledger, open=False, alarms=False, deliver=False, coil_ends_m=2.0)
    fill_coil(service, count=10)
    client = member(service)
    text = client.get("/coils/C17").text
    assert "Head: up to 2.0 m; tail: from 8.0 m on." in text
    assert unpacked(client.get("/coils/C17/map").content)[0]["ends_m"] == [2.0, 8.0]
    fill_coil(service, "short", count=3, station="line-2")
    assert "too short to mark a head and a tail of 2.0 m each" in client.get("/coils/short").text


def test_names_are_text_everywhere(closed, member):
    fill_coil(closed, HOSTILE, station="<i>st", labels=("<u>type",))
    client = member(closed, Role.ENGINEER)
    address = coil_address(HOSTILE)
    pages = [
        client.get(each, headers=HTML)
        for each in ("/coils", address, f"{address}/table", f"{address}/repeats")
    ]
    pages.append(client.get("/coils/compare", params={"a": HOSTILE, "b": HOSTILE}))
    for page in pages:
        assert page.status_code == 200
        for absent in ("<b>", "<i>", "<u>"):
            assert absent not in page.text, page.url
        for each in re.sub(r'"[^"]*"', '""', page.text).splitlines():  # attributes hold names as they are
            assert "\u202e" not in each, page.url
    file = client.get(f"{address}/defects.csv")
    assert file.headers["content-disposition"] == 'attachment; filename="coil-1_1_.._b_compare.csv"'


# ---- repeat distances ----

ROLLS = "name,diameter_mm,tolerance_mm\nF6 top,{diameter},2\n<b>other,100,1\n"


def marked(service):
    """A coil of 60 m with a mark every 1.5 m."""
    model = service.bundles.default.bundle.card.model_id
    entries = []
    for number in range(60):
        seen = sheet_of(number, item=f"r{number}", position_m=float(number), length_m=1.0)
        at = [step * 1.5 - number for step in range(40) if 0 <= step * 1.5 - number < 0.98]
        regions = tuple(
            LedgerRegion(box=(int(each * 600), 40, int(each * 600) + 8, 48), area_px=40, score=0.9)
            for each in at
        )
        entries += [seen, verdict_of(seen, model, regions=regions)]
    with open_writer(service.ledger, "line-1") as writer:
        writer.append(entries)


def test_repeat_distances_name_rolls_of_the_file(sqlite_ledger, make_service, member, tmp_path):
    rolls = tmp_path / "rolls.csv"
    rolls.write_text(ROLLS.format(diameter=1500 / 3.14159265))
    service = make_service(sqlite_ledger, open=False, alarms=False, deliver=False, coil_rolls=rolls)
    marked(service)
    client = member(service)
    text = client.get("/coils/C17/repeats").text
    assert "1.5000" in text
    assert "F6 top" in text
    assert "&#34;period&#34;: 1.5" in text
    rolls.write_text(ROLLS.format(diameter=600))
    assert "no roll of the table fits" in client.get("/coils/C17/repeats").text
    rolls.write_text("<b>nonsense")
    text = client.get("/coils/C17/repeats").text
    assert "The table of rolls cannot be used:" in text
    assert "<b>" not in text
    assert "1.5000" in text
    rolls.unlink()
    assert "cannot be read" in client.get("/coils/C17/repeats").text


def test_regular_marks_outside_of_the_range_are_told(closed, member):
    model = closed.bundles.default.bundle.card.model_id
    entries = []
    for number in range(60):
        seen = sheet_of(number, item=f"o{number}", position_m=float(number), length_m=1.0)
        boxes = [(left, 40, left + 8, 48) for left in range(10, 590, 120)]  # every 0.2 m
        regions = tuple(LedgerRegion(box=box, area_px=40, score=0.9) for box in boxes)
        entries += [seen, verdict_of(seen, model, regions=regions)]
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append(entries)
    text = member(closed).get("/coils/C17/repeats").text
    assert "No repeat distance was found." in text
    assert "which are no roll marks: 0.200 m" in text


def test_a_long_search_is_asked_for_and_does_not_hold_the_request(closed, member, monkeypatch):
    from concurrent.futures import Future

    from steelsight.service.pages.coil import routes

    monkeypatch.setattr(routes, "AT_ONCE", 3)
    monkeypatch.setattr(routes, "WAIT_S", 0.0)
    fill_coil(closed, count=4)
    client = member(closed)
    assert "ask=true" in client.get("/coils/C17/repeats").text
    kept = client.app.state.coils.of("C17")
    assert kept.repeats is None
    kept.repeats = Future()  # a search that runs
    text = client.get("/coils/C17/repeats?ask=true").text
    assert 'hx-trigger="load delay:2s"' in text
    kept.repeats = None
    found = client.app.state.coils.repeats(kept, 60.0)
    assert found.defects == 4
    assert "No repeat distance was found." in client.get("/coils/C17/repeats?ask=true").text
    client.app.state.coils.close()


def test_places_that_no_strip_has_are_told(closed, member):
    model = closed.bundles.default.bundle.card.model_id
    seen = sheet_of(0, position_m=1e7, length_m=1.0)
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append([seen, verdict_of(seen, model)])
    client = member(closed)
    assert client.get("/coils/C17").status_code == 200
    assert client.get("/coils/C17/map").status_code == 200
    assert "check the positions" in client.get("/coils/C17/repeats").text


# ---- two coils ----


def test_two_coils_are_compared(both, member):
    fill_coil(both, "A", count=20)
    fill_coil(both, "B", count=20, station="line-2", labels=("type 2",))
    client = member(both)
    page = client.get("/coils/compare?a=A&b=B")
    assert page.text.count('class="map"') == 2
    assert "more on the second" in page.text
    assert "in bands of 1.0 m" in page.text
    assert "in bands of 5.0 m" in client.get("/coils/compare?a=A&b=B&band_m=5").text
    for width in ("0", "x", "nan", "-1", "1e9"):
        text = client.get(f"/coils/compare?a=A&b=B&band_m={width}").text
        assert "Band: expected" in text or "band: expected" in text
    assert "First coil" in client.get("/coils/compare?b=A").text
    assert code(client.get("/coils/compare?a=A&b=nothing")) == "unknown_coil"


# ---- downloads ----


def test_downloads_hold_every_defect_and_no_formula(closed, member):
    fill_coil(closed, HOSTILE, count=3, labels=("=HYPERLINK(1)",))
    client = member(closed, Role.ENGINEER)
    address = coil_address(HOSTILE)
    rows = list(csv.DictReader(StringIO(client.get(f"{address}/defects.csv").text)))
    assert [row["label"] for row in rows] == ["'=HYPERLINK(1)"] * 3
    assert all(row["coil"].startswith("'=") for row in rows)
    table = pq.read_table(BytesIO(client.get(f"{address}/defects.parquet").content))
    assert table["label"].to_pylist() == ["=HYPERLINK(1)"] * 3
    assert table["coil"].to_pylist() == [HOSTILE] * 3
    berta = member(closed, login="berta")
    for form in ("csv", "parquet"):
        assert berta.get(f"{address}/defects.{form}").status_code == 403


# ---- who has seen what ----

SHOWS = ["", "/table", "/map", "/repeats"]


@pytest.mark.parametrize("part", SHOWS)
def test_who_sees_a_coil_gets_none_of_its_draws(both, member, part):
    fill_coil(both, count=3, drawn={0, 1, 2}, probability=0.95)
    fill_coil(both, "other", count=1, drawn={0}, probability=0.95, station="line-2")
    anna, berta = member(both), member(both, login="berta")
    assert anna.get(f"/coils/C17{part}").status_code == 200
    seen = seen_by(both, anna.person)
    assert seen == 3
    anna.get(f"/coils/C17{part}")  # again: nothing more is written
    assert seen_by(both, anna.person) == 3
    assert seen_by(both, berta.person) == 0
    assert claim(anna)["sheet"] is not None  # of the other coil
    assert claim(berta)["sheet"] is not None


def seen_by(service, person):
    with service.ledger.read() as connection:
        query = select(func.count()).select_from(seen_sheets).where(seen_sheets.c.person == person)
        return connection.execute(query).scalar_one()


def test_comparing_and_downloading_count_as_seeing_and_listing_does_not(closed, member):
    for number, coil in enumerate(("A", "B", "C")):
        fill_coil(closed, coil, count=2, drawn={0, 1}, station=f"line-{number}")
    anna = member(closed, Role.ENGINEER)
    anna.get("/coils")
    assert seen_by(closed, anna.person) == 0
    anna.get("/coils/compare?a=A&b=B")
    assert seen_by(closed, anna.person) == 4
    anna.get("/coils/C/defects.csv")
    assert seen_by(closed, anna.person) == 6


def test_a_machine_sees_nothing(closed, client_of):
    fill_coil(closed, count=2, drawn={0})
    headers = bearer(token_of(closed, Permission.READ)[1])
    assert client_of(closed).get("/coils/C17/map", headers=headers).status_code == 200
    with closed.ledger.read() as connection:
        assert connection.execute(select(func.count()).select_from(seen_sheets)).scalar_one() == 0


def test_a_client_without_gzip_is_told(closed, member):
    fill_coil(closed, count=1)
    assert (
        code(member(closed).get("/coils/C17/map", headers={"accept-encoding": "identity"})) == "gzip_needed"
    )


def test_pages_hold_no_inline_script_or_style(closed, member):
    fill_coil(closed)
    client = member(closed)
    for address in ("/coils", "/coils/C17", "/coils/compare?a=C17&b=C17"):
        text = client.get(address, headers=HTML).text
        for absent in ("<style", "style=", "onclick", "http://", "https://", "<script>"):
            assert absent not in text


def test_the_pages_speak_german(closed, member):
    fill_coil(closed)
    client = member(closed, **{"accept-language": "de"})
    assert "Wiederholabstände" in client.get("/coils/C17").text
    assert "Zwei Coils vergleichen" in client.get("/coils/compare").text
    assert "Teil des Namens" in client.get("/coils").text
