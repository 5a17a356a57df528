"""A shadow from the page Models: who starts and ends it, what is refused, what a station does with it."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.access.conftest import FAST, bearer, code, token_of
from tests.service.api.conftest import jpeg
from tests.service.pages.test_models import gated, policy

from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.records import list_events
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.inspector import load
from steelsight.service.access.roles import Permission, Role
from steelsight.service.context import Service
from steelsight.service.releases.choices import SHADOWS, Choice, ChoiceLog, chosen_shadow, mark_of
from steelsight.service.releases.following import Releases
from steelsight.service.reviewing.queue import Only, Order, waiting_sheets
from steelsight.service.serving.run import _of_station, station_of
from steelsight.types import InputSpec

__all__ = ["policy"]

HTML = {"accept": "text/html"}
PATIENCE_S = 60.0
SWAPPED = ("type 1", "none", "type 2")  # the same classes by another order: other labels by the same graph


@dataclass
class Mill:
    service: Service
    folder: Path
    ids: dict

    def choices(self):
        with self.service.ledger.read() as connection:
            return ChoiceLog(SHADOWS).read(connection)

    def form(self, name, reason="to compare on coils of <i>May</i>"):
        return {"model": self.ids.get(name, name), "seen": mark_of(self.choices()), "reason": reason}

    def events(self, *names):
        with self.service.ledger.read() as connection:
            rows = list_events(connection).rows
        return [row for row in rows if row["name"] in names][::-1]


@pytest.fixture
def mill(ledger, make_service, make_bundle, policy, tmp_path):
    """A service on each kind of database whose bundle is `base`, with candidates: two that may be its
    shadow, one with other classes, one with another input."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    wanted = {
        "swapped": {"class_names": SWAPPED},
        "warm": {"temperature": 1.5},
        "others": {"class_names": ("none", "type 1", "dent")},
        "wide": {"input": InputSpec(64, 96, fit="crop")},
    }
    ids = {}
    for name, changes in wanted.items():
        shutil.move(make_bundle(f"made-{name}", **changes), folder / name)
        ids[name] = open_bundle(folder / name).card.model_id
    base = load(make_bundle("base"), threads=1)
    ids["base"] = base.bundle.card.model_id
    settings = {"open": False, "alarms": False, "deliver": False, "candidates": folder, "gate_policy": policy}
    return Mill(make_service(ledger, bundles=[("base", base)], **settings, **FAST), folder, ids)


@pytest.fixture
def eva(mill, member):
    return member(mill.service, Role.ENGINEER, login="eva")


def test_an_engineer_starts_and_ends_a_shadow_on_record_once(mill, eva):
    form = mill.form("swapped")
    for _ in range(2):  # a double click
        answer = eva.post("/models/shadow", data=form, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/models#shadow")
    (row,) = mill.events("shadow_started")
    assert (row["person"], row["subject"]) == (eva.person, mill.ids["swapped"])
    assert (row["details"]["beside"], row["details"]["before"]) == (mill.ids["base"], "")
    assert len(row["details"]["card"]) == 64
    assert "May" not in json.dumps(row["details"])
    assert (mill.folder / ".kept" / mill.ids["swapped"] / "card.json").is_file()
    page = eva.get("/models", headers=HTML).text
    assert "to compare on coils of &lt;i&gt;May&lt;/i&gt;" in page
    assert page.count('action="/models/shadow/end"') == 1
    end = mill.form("swapped", reason="seen enough")
    for _ in range(2):
        assert eva.post("/models/shadow/end", data=end, follow_redirects=False).status_code == 303
    (row,) = mill.events("shadow_ended")
    assert (row["subject"], row["details"]["before"]) == (mill.ids["swapped"], mill.ids["swapped"])
    with mill.service.ledger.read() as connection:
        texts = connection.execute(select(schema.texts.c.text)).scalars().all()
    assert sorted(texts) == sorted([form["reason"], end["reason"]])
    assert eva.app.state.releases.shadow() is None
    assert 'action="/models/shadow/end"' not in eva.get("/models", headers=HTML).text
    assert verify(mill.service.ledger).clean


def test_the_api_does_the_same(mill, eva):
    before = eva.get("/api/v1/shadow").json()
    assert before == {"model": None, "since": None, "seen": "0"}
    wish = {"model": mill.ids["warm"], "seen": before["seen"], "reason": "a trial"}
    started = eva.post("/api/v1/shadow", json=wish).json()
    assert started["model"] == mill.ids["warm"]
    assert started["since"].endswith("Z")
    assert code(eva.post("/api/v1/shadow/end", json=wish)) == "shadow_changed"  # of before the start
    ended = eva.post("/api/v1/shadow/end", json={**wish, "seen": started["seen"]})
    assert (ended.status_code, ended.json()["model"]) == (200, None)
    assert code(eva.post("/api/v1/shadow", json={**wish, "colour": "red"})) == "invalid_request"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_configure_starts_and_ends_nothing(mill, member, role):
    client = member(mill.service, role, login=f"the-{role}")
    for path in ("/models/shadow", "/models/shadow/end"):
        assert code(client.post(path, data=mill.form("warm"))) == "forbidden"
    assert code(client.post("/api/v1/shadow", json=mill.form("warm"))) == "forbidden"
    assert 'action="/models/shadow"' not in client.get("/models", headers=HTML).text
    assert client.get("/api/v1/shadow").json()["model"] is None
    assert mill.choices() == ()


def test_a_machine_starts_nothing(mill, client_of):
    headers = bearer(token_of(mill.service, *Permission)[1])
    client = client_of(mill.service, **headers)
    assert code(client.post("/api/v1/shadow", json=mill.form("warm"))) == "person_needed"
    assert mill.choices() == ()


def test_a_bundle_of_other_classes_or_input_is_refused_in_words(mill, eva):
    answer = eva.post("/models/shadow", data=mill.form("others"), headers=HTML)
    assert answer.status_code == 409
    assert "Expected a bundle with the classes of the one that judges (none, type 1, type 2)" in answer.text
    assert "dent" in answer.text
    assert code(eva.post("/models/shadow", data=mill.form("others"))) == "shadow_other_classes"
    answer = eva.post("/api/v1/shadow", json=mill.form("wide"))
    assert code(answer) == "shadow_other_input"
    assert "(64x96 stretch), got 64x96 crop" in answer.json()["error"]["message"]
    german = eva.post("/models/shadow", data=mill.form("wide"), headers={**HTML, "accept-language": "de"})
    assert "erwartet 64x96 stretch, gefunden 64x96 crop" in german.text
    page = eva.get("/models", headers=HTML).text
    assert page.count("It cannot be the shadow:") == 2
    assert page.count('action="/models/shadow"') == 2  # swapped and warm
    assert mill.choices() == ()


@pytest.mark.parametrize(
    ("name", "values", "status", "word"),
    [
        ("base", {}, 409, "default_already"),
        ("warm", {"reason": " \n "}, 422, "no_reason"),
        ("warm", {"reason": "x" * 2001}, 422, "invalid_request"),
        ("warm", {"seen": "9:9:console"}, 409, "shadow_changed"),
        ("warm", {"model": "0" * 32}, 404, "unknown_bundle"),
        ("warm", {"model": "../../etc"}, 422, "invalid_request"),
    ],
)
def test_bad_and_stale_wishes_change_nothing(mill, eva, name, values, status, word):
    answer = eva.post("/api/v1/shadow", json={**mill.form(name), **values})
    assert (answer.status_code, code(answer)) == (status, word)
    assert code(eva.post("/models/shadow/end", data=mill.form("warm"))) == "no_shadow"
    assert mill.choices() == ()


def test_an_altered_bundle_is_no_shadow(mill, eva):
    graph = mill.folder / "warm" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[-10] ^= 1
    graph.write_bytes(content)
    assert code(eva.post("/models/shadow", data=mill.form("warm"))) == "bad_bundle"
    assert mill.choices() == ()


def test_another_shadow_takes_the_place_of_the_first(mill, eva):
    stale = mill.form("warm")
    eva.post("/models/shadow", data=mill.form("swapped"))
    assert code(eva.post("/models/shadow", data=stale)) == "shadow_changed"
    assert code(eva.post("/models/shadow", data=mill.form("swapped"))) == "shadow_already"
    assert eva.post("/models/shadow", data=mill.form("warm"), follow_redirects=False).status_code == 303
    assert eva.app.state.releases.shadow() == mill.ids["warm"]
    assert [each.before for each in mill.choices()] == ["", mill.ids["swapped"]]
    assert code(eva.post("/models/shadow/end", data=mill.form("swapped"))) == "shadow_changed"


def test_a_promotion_of_the_shadow_ends_it_and_a_rollback_does_not_bring_it_back(mill, eva, policy):
    gated(mill.folder / "swapped", policy)
    eva.post("/models/shadow", data=mill.form("swapped"))
    promoted = {**mill.form("swapped"), "seen": "0"}
    assert eva.post("/models/promote", data=promoted, follow_redirects=False).status_code == 303
    (row,) = mill.events("shadow_ended")
    assert (row["person"], row["subject"]) == (eva.person, mill.ids["swapped"])
    assert row["details"]["because"] == "promoted"
    assert "it judges now" in eva.get("/models", headers=HTML).text
    back = mill.events("bundle_promoted")[0]
    seen = f"{back['details']['number']}:{back['seq']}:{back['writer']}"
    form = {"model": mill.ids["base"], "seen": seen, "reason": "no better"}
    assert eva.post("/models/rollback", data=form, follow_redirects=False).status_code == 303
    assert eva.app.state.releases.shadow() is None
    assert verify(mill.service.ledger).clean


def test_a_promotion_of_a_bundle_with_other_classes_ends_the_shadow_and_of_the_same_does_not(
    mill, eva, policy
):
    for name in ("swapped", "others"):
        gated(mill.folder / name, policy)
    eva.post("/models/shadow", data=mill.form("warm"))
    releases = eva.app.state.releases
    eva.post("/models/promote", data={**mill.form("swapped"), "seen": "0"})
    assert releases.shadow() == mill.ids["warm"]
    seen = mark_of(releases.choices())
    eva.post("/models/promote", data={**mill.form("others"), "seen": seen})
    assert releases.shadow() is None
    assert mill.events("shadow_ended")[0]["details"]["because"] == "not_comparable"


def test_the_setting_shadows_until_people_choose(mill, eva):
    releases, setting = eva.app.state.releases, mill.folder / "warm"
    mill.service.settings.__dict__["shadow"] = setting
    releases.follow()
    assert (releases.shadow(), _of_station(mill.service, releases).shadow) == (mill.ids["warm"], setting)
    assert eva.get("/api/v1/shadow").json() == {"model": mill.ids["warm"], "since": None, "seen": "0"}
    eva.post("/models/shadow/end", data=mill.form("warm"))
    assert (releases.shadow(), _of_station(mill.service, releases).shadow) == (None, None)


def test_another_service_on_the_ledger_follows(mill, eva, make_service, tmp_path):
    eva.post("/models/shadow", data=mill.form("warm"))
    shutil.rmtree(mill.folder / "warm")  # its copy is kept
    bundles = [("base", mill.service.bundles.default)]
    other = Releases(make_service(mill.service.ledger, bundles=bundles, candidates=mill.folder))
    told = []
    other.shadow_changed.append(lambda: told.append(other.shadow_folder))
    other.follow()
    other.follow()
    assert told == [mill.folder / ".kept" / mill.ids["warm"]]
    without = Releases(make_service(mill.service.ledger, bundles=bundles, candidates=tmp_path / "none"))
    without.follow()
    assert (without.shadow_folder, without.shadow_trouble) == (None, mill.ids["warm"])
    assert without.state().state == "degraded"
    eva.post("/models/shadow/end", data=mill.form("warm"))
    for each in (other, without):
        each.follow()
        assert (each.shadow_folder, each.state().state) == (None, "ok")
    assert told[1:] == [None]


def test_without_a_choice_the_setting_is_the_shadow():
    start = Choice(1, "a", 1, 0, "shadow_started", "x", "", None, None)
    end = Choice(2, "a", 2, 0, "shadow_ended", "x", "x", None, None)
    assert [chosen_shadow(each, "set") for each in ([], [start], [start, end])] == ["set", "x", None]


def wait_for(condition, what):
    for _ in range(int(PATIENCE_S / 0.05)):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s for {what}")


def modes_of(ledger, item):
    """How a sheet was judged, whose name begins so (a folder adds the time of the file): live, shadow."""
    verdicts, sheets = schema.verdicts, schema.sheets
    query = select(verdicts.c.mode).join(sheets, sheets.c.sheet == verdicts.c.sheet)
    with ledger.read() as connection:
        return sorted(connection.execute(query.where(sheets.c.item.startswith(item))).scalars())


def test_a_running_station_takes_the_shadow_up_and_ends_it(mill, eva, tmp_path):
    """The process of `steelsight line`; its disagreements are a queue of Review."""
    if mill.service.ledger.engine.url.get_backend_name() != "sqlite":
        pytest.skip("the same process; its ledger's address is a file here")
    camera = tmp_path / "camera"
    camera.mkdir()
    place = str(mill.service.ledger.engine.url.database)
    mill.service.settings.__dict__.update(watch=camera, ledger=place, images=str(tmp_path / "images"))
    releases, ledger = eva.app.state.releases, mill.service.ledger
    releases.follow()
    station = station_of(mill.service, releases, lambda _: None)

    def judged(number):
        name = f"{number}.jpg"
        (camera / name).write_bytes(jpeg(number, (64, 96)))
        return wait_for(lambda: modes_of(ledger, name), name)

    def until_judged(numbers, modes):
        """A sheet may still be judged by the process that is just ended."""
        for number in numbers:
            if judged(number) == modes:
                return
        raise AssertionError(f"no sheet was judged as {modes}")

    station.start()
    try:
        assert judged(0) == ["live"]
        assert eva.post("/api/v1/shadow", json=mill.form("swapped")).status_code == 200
        until_judged(range(1, 20), ["live", "shadow"])
        with ledger.read() as connection:
            waiting = waiting_sheets(connection, mill.service.bundles, Order.NEWEST, Only.DISAGREED)
            table = schema.verdicts
            query = select(table.c.sheet).where(table.c.mode == "shadow", table.c.label != "type 2")
            shadowed = connection.execute(query).scalars().all()
        assert shadowed
        assert set(waiting) == set(shadowed)  # where the graph says none, the shadow says type 1
        assert eva.post("/api/v1/shadow/end", json=mill.form("swapped")).status_code == 200
        until_judged(range(20, 40), ["live"])
        assert (station.restarts, station.state().state) == (0, "ok")
    finally:
        station.stop()
    assert verify(ledger).clean
