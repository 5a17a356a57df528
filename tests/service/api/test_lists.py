"""Lists, histories, coils, bundles, stations and events, on both kinds of database."""

from urllib.parse import quote

import pytest
from tests.ledger.coils.test_coil_defects import region
from tests.ledger.conftest import judged, sheet, verdict
from tests.service.api.conftest import jpeg, refused, send, token

from steelsight.ledger.chain.entries import Draw, Event
from steelsight.ledger.coils import joining
from steelsight.ledger.reading.defects import coil_defects
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import Permission


def enter(service, entries, writer="line-1"):
    with open_writer(service.ledger, writer) as opened:
        return opened.append(entries)


def follow(client, path, **query):
    """All rows of a list, page by page."""
    rows, cursor = [], None
    while True:
        answer = client.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["items"]
        cursor = body["next"]
        if cursor is None:
            return rows
        assert len(body["items"]) == query["limit"]


@pytest.fixture
def many(service):
    """40 sheets of two stations on coils C0 to C3; some captured at the same time."""
    entries = []
    for number in range(40):
        seen = sheet(number, station=f"line-{number % 2}", captured_us=1_000_000 * (1000 + number // 3))
        state = "doubtful" if number % 7 == 0 else "decided"
        entries += [seen, verdict(seen, "scratch" if number % 4 else "none", state=state)]
        if number % 5 == 0:
            entries.append(verdict(seen, "patch", mode="shadow", bundle="c" * 16))
    enter(service, entries)
    return service


@pytest.mark.parametrize("path", ["/api/v1/sheets", "/api/v1/verdicts"])
@pytest.mark.parametrize("query", [{"station": "line-1"}, {"coil": "C2"}, {"since": "1970-01-01T00:16:45Z"}])
def test_pages_join_to_the_whole_list_in_its_order(many, client, path, query):
    whole = follow(client, path, limit=500, **query)
    assert whole
    assert follow(client, path, limit=3, **query) == whole
    assert follow(client, path, limit=len(whole), **query) == whole
    captured = [row["captured"] for row in whole]
    assert captured == sorted(captured, reverse=True)
    for name, value in query.items():
        wanted = [row[name] == value if name != "since" else row["captured"] >= value[:-1] for row in whole]
        assert all(wanted)


def test_verdicts_are_filtered_by_what_they_say(many, client):
    everything = follow(client, "/api/v1/verdicts", limit=500, mode="any")
    assert len(everything) == 48
    live = follow(client, "/api/v1/verdicts", limit=500)
    assert live == [row for row in everything if row["mode"] == "live"]
    for name, value in (("label", "none"), ("state", "doubtful"), ("bundle", "b" * 16)):
        found = follow(client, "/api/v1/verdicts", limit=500, **{name: value})
        assert found == [row for row in live if row[name] == value] != []


def test_times_are_utc_whatever_the_zone_of_the_question(many, client):
    one = client.get("/api/v1/sheets", params={"until": "1970-01-01T00:16:44Z"}).json()
    other = client.get("/api/v1/sheets", params={"until": "1970-01-01T05:46:44+05:30"}).json()
    assert one == other
    assert {row["captured"] for row in one["items"]} == {
        f"1970-01-01T00:16:{second}.000000Z" for second in (40, 41, 42, 43)
    }


FOREIGN = (
    "x",
    "WzFd",  # [1]
    "WyJhIiwiYiJd",  # ["a", "b"]
    "W251bGwsbnVsbCxudWxsXQ",  # nulls
    "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LCJhIiwxXQ",  # a number that no database holds
)


@pytest.mark.parametrize(
    "path", ["sheets", "verdicts", "reviews", "events", "coils", "coils/C0", "coils/C0/defects"]
)
def test_a_cursor_of_no_page_is_refused(lite, lite_client, path):
    enter(lite, judged(0, 1))
    for cursor in FOREIGN:
        error = refused(lite_client.get(f"/api/v1/{path}", params={"cursor": cursor}), 422, "bad_input")
        assert "expected one that a page gave" in error["message"]


@pytest.mark.parametrize("path", ["sheets", "verdicts", "reviews", "events", "coils", "coils/C0/defects"])
def test_an_impossible_parameter_of_a_list_is_refused(lite_client, path):
    for query in ("limit=0", "limit=501", "limit=x", "nothing=1", "cursor=%00"):
        refused(lite_client.get(f"/api/v1/{path}?{query}"), 422, "invalid_request")


def test_a_history_holds_everything_of_a_sheet(service, client):
    seen = sheet(1)
    draw = Draw(sheet=seen.sheet, stratum="other", probability=0.5, value=0.25, key_commitment="a" * 64)
    enter(service, [seen, verdict(seen), verdict(seen, mode="shadow", bundle="c" * 16), draw])
    history = client.get(f"/api/v1/sheets/{seen.sheet}").json()
    assert [each["mode"] for each in history["verdicts"]] == ["live", "shadow"]
    assert history["draw"]["value"] == 0.25
    assert history["reviews"] == []
    assert (history["coil"], history["position_m"]) == (seen.coil, seen.position_m)


@pytest.mark.parametrize("part", ["", "/image", "/heatmap"])
def test_an_unknown_sheet_is_told(lite_client, part):
    refused(lite_client.get(f"/api/v1/sheets/{'0' * 32}{part}"), 404, "unknown_sheet")
    for name in ("x", "%00", "A" * 32, "0" * 33):
        refused(lite_client.get(f"/api/v1/sheets/{name}{part}"), 422, "invalid_request")
    for name in ("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "x/y/z"):
        refused(lite_client.get(f"/api/v1/sheets/{name}{part}"), 404, "not_found")


class TestCoils:
    def coil(self, service, positions, coil="A", station="line-1", start=0):
        """Sheets of a coil, captured in the order of the positions."""
        entries = []
        for number, position in enumerate(positions, start):
            seen = sheet(
                number,
                station=station,
                item=f"{coil}-{station}-{number}",
                coil=coil,
                position_m=position,
                captured_us=1_000_000 * number,
            )
            entries += [seen, verdict(seen, "none" if number % 2 else "scratch")]
        enter(service, entries, station)

    @pytest.mark.parametrize(
        ("positions", "direction", "turns"),
        [
            ([0.0, 1.0, 2.0], "forward", 0),
            ([2.0, 1.0, 0.0], "backward", 0),
            ([0.0, 2.0, 1.0, 3.0], "mixed", 2),
            ([1.0, 1.0], "unknown", 0),
            ([None, None], "unknown", 0),
            ([0.0, None, 1.0, 1.0, 2.0], "forward", 0),
        ],
    )
    def test_the_direction_of_the_metres_is_told(self, service, client, positions, direction, turns):
        self.coil(service, positions)
        answer = client.get("/api/v1/coils/A").json()
        assert (answer["direction"], answer["turns"]) == (direction, turns)
        placed = [each for each in positions if each is not None]
        assert [row["position_m"] for row in answer["items"]] == [
            *sorted(placed),
            *[None] * (len(positions) - len(placed)),
        ]
        assert answer["first_m"] == min(placed, default=None)
        assert answer["last_m"] == max(placed, default=None)

    def test_two_stations_of_one_coil_do_not_make_its_metres_run_backwards(self, service, client):
        self.coil(service, [0.0, 1.0, 2.0], station="top")
        self.coil(service, [0.5, 1.5, 2.5], station="bottom")
        answer = client.get("/api/v1/coils/A").json()
        assert answer["direction"] == "forward"
        assert [row["position_m"] for row in answer["items"]] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]

    def test_pages_of_a_coil_join(self, service, client):
        self.coil(service, [3.0, None, 1.0, 1.0, 2.0, None, 0.5])
        assert follow(client, "/api/v1/coils/A", limit=2) == follow(client, "/api/v1/coils/A", limit=100)

    def test_coils_come_with_counts_the_last_captured_first(self, service, client):
        self.coil(service, [0.0, 1.0, 2.0], coil="old")
        self.coil(service, [0.0, 1.0], coil="new", start=10)
        self.coil(service, [0.0], coil="between", start=5)
        rows = follow(client, "/api/v1/coils", limit=2)
        assert [row["coil"] for row in rows] == ["new", "between", "old"]
        assert rows == follow(client, "/api/v1/coils", limit=50)
        assert rows[2] == {
            "coil": "old",
            "sheets": 3,
            "states": {"decided": 3},
            "labels": {"none": 1, "scratch": 2},
            "first": "1970-01-01T00:00:00.000000Z",
            "last": "1970-01-01T00:00:02.000000Z",
            "first_m": 0.0,
            "last_m": 2.0,
        }

    @pytest.mark.parametrize("coil", ["a/b", "ä ö", "a?b#c", "100%", "a//b"])
    def test_a_coil_of_any_name_is_found(self, lite, lite_client, coil):
        self.coil(lite, [0.0], coil=coil)
        answer = lite_client.get(f"/api/v1/coils/{quote(coil, safe='')}")
        assert answer.json()["coil"] == coil

    def test_an_unknown_coil_is_told(self, client):
        refused(client.get("/api/v1/coils/nothing"), 404, "unknown_coil")


class TestDefects:
    @pytest.fixture
    def frames(self, service):
        """A scratch over four frames on coil A, two patches that lie apart, and a sheet without a place."""
        entries = []
        for number in range(5):
            place = {"position_m": 0.4 * number, "length_m": 0.4} if number < 4 else {"position_m": None}
            seen = sheet(number, coil="A", **place)
            entries += [seen, verdict(seen, regions=(region(0, 1600),))]
        for number in (10, 20):
            seen = sheet(number, coil="A", position_m=float(number), length_m=0.4)
            entries += [seen, verdict(seen, "patch", regions=(region(200, 400), region(600, 700)))]
        enter(service, entries)
        return service

    def test_parts_across_borders_are_one_defect(self, frames, client):
        answer = client.get("/api/v1/coils/A/defects").json()
        assert (answer["coil"], answer["tolerance_mm"], answer["unplaced"]) == ("A", 5.0, 1)
        scratch, *patches = answer["items"]
        assert (scratch["label"], len(scratch["members"])) == ("scratch", 4)
        assert scratch["length_mm"] == pytest.approx(1600.0)
        assert [each["label"] for each in patches] == ["patch"] * 4
        assert answer["next"] is None
        with frames.ledger.read() as connection:
            whole = coil_defects(connection, "A")
        assert answer["items"] == [each.as_dict() for each in whole.defects]

    def test_a_tolerance_joins_more(self, service, client):
        entries = []
        for number, gap in enumerate((0.0, 0.02)):
            seen = sheet(number, coil="A", position_m=0.4 * number + gap, length_m=0.4)
            entries += [seen, verdict(seen, regions=(region(0, 1600),))]
        enter(service, entries)
        counts = [
            len(client.get("/api/v1/coils/A/defects", params={"tolerance_mm": each}).json()["items"])
            for each in (0, 19.9, 20.1, 1000)
        ]
        assert counts == [2, 2, 1, 1]

    def test_pages_join(self, frames, client):
        path = "/api/v1/coils/A/defects"
        assert follow(client, path, limit=2) == follow(client, path, limit=100)
        assert len(follow(client, path, limit=1)) == 5

    def test_what_is_impossible_is_refused(self, frames, client):
        refused(client.get("/api/v1/coils/nothing/defects"), 404, "unknown_coil")
        for value in ("-1", "1001", "nan", "inf", "x"):
            answer = client.get("/api/v1/coils/A/defects", params={"tolerance_mm": value})
            refused(answer, 422, "invalid_request")

    @pytest.mark.parametrize("coil", ["a/b", "ä ö", "a?b#c", "defects", "a/defects/b"])
    def test_a_coil_of_any_name_is_found(self, lite, lite_client, coil):
        seen = sheet(1, coil=coil, position_m=1.0, length_m=0.4)
        enter(lite, [seen, verdict(seen, regions=(region(0, 9),))])
        answer = lite_client.get(f"/api/v1/coils/{quote(coil, safe='')}/defects").json()
        assert (answer["coil"], len(answer["items"])) == (coil, 1)
        assert lite_client.get(f"/api/v1/coils/{quote(coil, safe='')}").json()["coil"] == coil

    def test_positions_that_stand_still_are_told(self, lite, lite_client, monkeypatch):
        monkeypatch.setattr(joining, "MOST_PAIRS", 10)
        entries = []
        for number in range(6):
            seen = sheet(number, coil="A", position_m=1.0, length_m=0.4)
            entries += [seen, verdict(seen, regions=(region(0, 9),))]
        enter(lite, entries)
        error = refused(lite_client.get("/api/v1/coils/A/defects"), 422, "bad_input")
        assert "check whether the positions of the coil's sheets are right" in error["message"]


def test_bundles_come_with_their_certificates(lite_client, packaged):
    card = packaged.bundle.card
    (row,) = lite_client.get("/api/v1/bundles").json()["items"]
    assert (row["id"], row["name"], row["default"]) == (card.model_id, "packaged", True)
    assert (row["threshold"], row["threshold_statement"]) == (card.threshold, card.threshold_statement)
    for name in ("packaged", card.model_id):
        whole = lite_client.get(f"/api/v1/bundles/{name}").json()
        assert whole["card"]["parity"] == card.parity
        assert whole["card"]["class_names"] == list(card.class_names)
    refused(lite_client.get("/api/v1/bundles/nothing"), 404, "unknown_bundle")


def test_stations_tell_who_writes(service, client):
    enter(service, judged(0, 2))
    rows = {row["name"]: row for row in client.get("/api/v1/stations").json()["items"]}
    assert (rows["line-1"]["entries"], rows["line-1"]["held"]) == (4, False)
    assert rows["line-1"]["last"].endswith("Z")
    assert (rows["console"]["held"], rows["console"]["last"]) == (True, None)


def test_events_of_people_need_the_permission_to_audit(ledger, make_service, connect):
    service = make_service(ledger, open=False)
    secrets = {
        each: token(service, each) for each in (Permission.READ, Permission.AUDIT)
    }  # each makes an event of its own
    both = token(service, Permission.READ, Permission.AUDIT)
    enter(service, [Event(name="database_back", subject="line-1", details={"seconds": 2.5})])
    enter(service, [Event(name="person_erased", person="a" * 32)], "ledger")
    client = connect(service)

    def names(secret):
        answer = client.get("/api/v1/events", headers={"Authorization": f"Bearer {secret}"})
        return [row["name"] for row in answer.json()["items"]]

    assert names(secrets[Permission.READ]) == ["database_back"]
    assert names(both) == ["person_erased", "database_back", *["token_created"] * 3]


def test_an_image_is_sent_with_its_type_and_tag(client):

    sheet_id = send(client, jpeg(), "?record=true").json()["recorded"]["sheet"]
    answer = client.get(f"/api/v1/sheets/{sheet_id}/image")
    assert answer.content == jpeg()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    again = client.get(f"/api/v1/sheets/{sheet_id}/image", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/api/v1/sheets/{sheet_id}/image", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


class TestImages:
    @pytest.fixture
    def kept(self, lite_client):

        return send(lite_client, jpeg(), "?record=true").json()["recorded"]["sheet"]

    def path(self, tmp_path):
        (found,) = [each for each in (tmp_path / "images").rglob("*") if each.is_file()]
        return found

    def test_a_missing_image_is_told(self, lite_client, kept, tmp_path):
        self.path(tmp_path).unlink()
        refused(lite_client.get(f"/api/v1/sheets/{kept}/image"), 404, "image_missing")

    def test_an_altered_image_is_told_and_not_sent(self, lite_client, kept, tmp_path):
        self.path(tmp_path).write_bytes(b"<script>alert(1)</script>")
        error = refused(lite_client.get(f"/api/v1/sheets/{kept}/image"), 409, "image_altered")
        assert len(error["image_hash"]) == 64
        refused(lite_client.get(f"/api/v1/sheets/{kept}/heatmap"), 409, "image_altered")

    def test_an_image_that_retention_removed_is_told(self, lite, lite_client, kept, tmp_path):
        path = self.path(tmp_path)
        digest = path.parent.name + path.name
        enter(lite, [Event(name="images_pruned", details={"images": [digest]})], "ledger")
        path.unlink()
        refused(lite_client.get(f"/api/v1/sheets/{kept}/image"), 410, "image_pruned")

    def test_a_heatmap_is_judged_anew(self, lite_client, kept, packaged):

        from steelsight.reports.overlay import overlay_png

        answer = lite_client.get(f"/api/v1/sheets/{kept}/heatmap")
        assert answer.headers["content-type"] == "image/png"
        assert answer.content == overlay_png(packaged.inspect(jpeg()).heatmap)

    def test_an_image_stays_in_the_watched_folder(self, sqlite_ledger, make_service, connect, tmp_path):
        import hashlib

        folder = tmp_path / "camera"
        folder.mkdir()
        (folder / "a.jpg").write_bytes(jpeg())
        (tmp_path / "secret.jpg").write_bytes(jpeg())
        (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        service = make_service(sqlite_ledger, images=False, watch=folder)
        client = connect(service)
        digest = hashlib.sha256(jpeg()).hexdigest()
        places = (
            folder / "a.jpg",
            tmp_path / "secret.jpg",
            folder / "link.jpg",
            folder / ".." / "secret.jpg",
        )
        seen = [sheet(number, image=str(place), image_hash=digest) for number, place in enumerate(places)]
        enter(service, seen)
        answers = [client.get(f"/api/v1/sheets/{each.sheet}/image").status_code for each in seen]
        assert answers == [200, 404, 404, 404]
        (folder / "a.jpg").write_bytes(b"other")
        refused(client.get(f"/api/v1/sheets/{seen[0].sheet}/image"), 409, "image_altered")
