"""The page Models: who sees what, promotion through the gate, rollback, stale and double forms."""

import hashlib
import json
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.access.conftest import FAST, bearer, code, token_of, user

from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.records import list_events
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.gate import add_gate
from steelsight.runtime.bundle.gate_record import GatedShortcut, GateRecord
from steelsight.runtime.bundle.open import open_bundle
from steelsight.service.access.roles import PERMISSIONS, Caller, Permission, Role
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import ChoiceLog, mark_of, rollback_target
from steelsight.service.releases.following import Releases
from steelsight.service.releases.promoting import promote
from steelsight.service.releases.wishes import Wish
from steelsight.service.serving.run import _follow_choice, _of_station

HTML = {"accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
POLICY = '[[shortcut]]\nnuisance = "stain"\nmost_flipped = 0.05\n'


def gated(folder, policy, *, passed=True):
    """Write the record of a gate into a bundle's card."""
    bundle = open_bundle(folder)
    part = GatedShortcut(
        nuisance="stain",
        suspect="none",
        most_flipped=0.05,
        most_excess=None,
        flipped=(0.01, 0.0, 0.03),
        excess=None,
        pasted=120,
        groups=30,
        outcome="passed" if passed else "exceeded",
        why="120 sheets pasted on, 1 % flipped <b>x</b>",
    )
    record = GateRecord(
        made="2026-11-01T10:00:00Z",
        model_id=bundle.card.model_id,
        engine="openvino",
        policy=policy.name,
        policy_sha256=hashlib.sha256(policy.read_bytes()).hexdigest(),
        lists={},
        data="held out",
        data_hash="ab" * 8,
        sheets=120,
        groups=30,
        limit=500,
        seed=0,
        shortcuts=(part,),
        passed=passed,
    )
    add_gate(bundle, record)
    return bundle.card.model_id


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def plant(closed, make_bundle, policy, tmp_path):
    """A service with a folder of candidates: `good` passed the gate, `bad` did not, `raw` has no record."""
    folder = tmp_path / "bundles"
    closed.settings.__dict__.update(candidates=folder, gate_policy=policy)
    ids = {}
    for name, temperature in (("good", 1.0), ("bad", 1.5), ("raw", 2.0)):
        made = make_bundle(f"made-{name}", temperature=temperature)
        folder.mkdir(exist_ok=True)
        shutil.move(made, folder / name)
        ids[name] = open_bundle(folder / name).card.model_id
    gated(folder / "good", policy)
    gated(folder / "bad", policy, passed=False)
    return Plant(closed, folder, ids)


@dataclass
class Plant:
    service: Service
    folder: Path
    ids: dict

    def choices(self):
        with self.service.ledger.read() as connection:
            return ChoiceLog().read(connection)

    def form(self, name, reason="better on coils of <i>May</i>"):
        choices = self.choices()
        return {"model": self.ids.get(name, name), "seen": mark_of(choices), "reason": reason}

    def default(self):
        return self.service.bundles.default.bundle.card.model_id


@pytest.fixture
def eva(plant, member):
    return member(plant.service, Role.ENGINEER, login="eva")


def events(service, *names):
    with service.ledger.read() as connection:
        rows = list_events(connection).rows
    return [row for row in rows if row["name"] in names][::-1]


def test_an_engineer_sees_bundles_roles_and_gates_and_a_reader_no_form(plant, eva, member):
    page = eva.get("/models", headers=HTML)
    assert page.status_code == 200
    for words in ("good", "bad", "raw", "default", "candidate", "Promote: it judges", "steelsight gate"):
        assert words in page.text
    assert page.text.count('action="/models/promote"') == 1  # good alone
    assert "1 % flipped &lt;b&gt;x&lt;/b&gt;" in page.text
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR):
        seen = member(plant.service, role, login=f"the-{role}").get("/models", headers=HTML)
        assert seen.status_code == 200
        assert "good" in seen.text
        for absent in ('action="/models/promote"', 'action="/models/learn"', str(plant.folder)):
            assert absent not in seen.text, (role, absent)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_configure_does_nothing(plant, member, role):
    client = member(plant.service, role, login=f"the-{role}")
    before = plant.default()
    assert code(client.post("/models/promote", data=plant.form("good"))) == "forbidden"
    assert code(client.post("/models/rollback", data=plant.form("good"))) == "forbidden"
    job = {"model": plant.ids["good"], "job": "a" * 32}
    assert code(client.post("/models/learn", data=job)) == "forbidden"
    assert code(client.post("/models/learn/cancel", data=job)) == "forbidden"
    assert (plant.default(), plant.choices()) == (before, ())


def test_a_machine_promotes_nothing(plant, client_of):
    headers = bearer(token_of(plant.service, *Permission)[1])
    client = client_of(plant.service, **headers)
    assert code(client.post("/models/promote", data=plant.form("good"))) == "person_needed"
    job = {"model": plant.ids["good"], "job": "a" * 32}
    assert code(client.post("/models/learn", data=job)) == "person_needed"
    assert plant.choices() == ()


def test_a_bundle_that_passed_is_promoted_on_record_once(plant, eva):
    service, before, form = plant.service, plant.default(), plant.form("good")
    for _ in range(2):  # a double click
        answer = eva.post("/models/promote", data=form, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    assert plant.default() == plant.ids["good"]
    (row,) = events(service, "bundle_promoted")
    assert (row["person"], row["subject"]) == (eva.person, plant.ids["good"])
    assert (row["details"]["before"], row["details"]["number"]) == (before, 1)
    assert len(row["details"]["policy"]) == len(row["details"]["gate"]) == 64
    assert "May" not in json.dumps(row["details"])
    with service.ledger.read() as connection:
        assert connection.execute(select(schema.texts.c.text)).scalars().all() == [form["reason"]]
    assert (plant.folder / ".kept" / plant.ids["good"] / "card.json").is_file()
    page = eva.get("/models", headers=HTML).text
    assert "better on coils of &lt;i&gt;May&lt;/i&gt;" in page
    assert "Roll back to" in page
    assert verify(service.ledger).clean


def test_another_service_on_the_ledger_follows(plant, eva, make_service):
    """Two workers agree: the choice is read from the ledger, and the bundle opened where it is not yet."""
    eva.post("/models/promote", data=plant.form("good"))
    other = make_service(plant.service.ledger, open=False, candidates=plant.folder)
    releases = Releases(other)
    releases.follow()
    assert other.bundles.default.bundle.card.model_id == plant.ids["good"]
    assert releases.state().state == "ok"
    eva.post("/models/rollback", data=plant.form(plant.service.bundles.configured))
    releases.follow()
    assert other.bundles.default.bundle.card.model_id == other.bundles.configured


def test_the_services_station_judges_by_the_copy_and_is_not_its_own_shadow(plant, eva):
    plant.service.settings.__dict__["shadow"] = plant.folder / "good"
    releases = eva.app.state.releases
    releases.follow()
    before = _of_station(plant.service, releases)
    assert (before.bundle, before.shadow) == (default_bundle(), plant.folder / "good")
    eva.post("/models/promote", data=plant.form("good"), follow_redirects=False)
    after = _of_station(plant.service, releases)
    assert (after.bundle, after.shadow) == (plant.folder / ".kept" / plant.ids["good"], None)
    said = []
    _follow_choice(plant.service, releases, said.append)
    assert said == ["good judges: it was promoted; the setting bundle is not used"]


def test_a_promoted_bundle_that_is_not_at_hand_is_told(plant, eva, make_service, tmp_path):
    eva.post("/models/promote", data=plant.form("good"))
    other = make_service(plant.service.ledger, open=False, candidates=tmp_path / "nothing")
    releases = Releases(other)
    releases.follow()
    assert other.bundles.default.bundle.card.model_id == other.bundles.configured
    assert releases.state().state == "degraded"


@pytest.mark.parametrize(("name", "words"), [("bad", "was not passed"), ("raw", "found none")])
def test_what_has_not_passed_is_refused_with_the_command_that_mends_it(plant, eva, name, words):
    before = plant.default()
    answer = eva.post("/models/promote", data=plant.form(name), headers=HTML)
    assert answer.status_code == 409
    assert words in answer.text
    assert f"steelsight gate {plant.folder / name} DATA" in answer.text
    assert code(eva.post("/models/promote", data=plant.form(name))) == "gate_not_passed"
    assert (plant.default(), plant.choices()) == (before, ())


def test_a_policy_that_is_missing_changed_or_gone_refuses(plant, eva, policy):
    policy.write_text(POLICY.replace("0.05", "0.04"))
    assert code(eva.post("/models/promote", data=plant.form("good"))) == "gate_not_passed"
    policy.unlink()
    assert code(eva.post("/models/promote", data=plant.form("good"))) == "gate_policy_unreadable"
    assert "cannot be read" in eva.get("/models", headers=HTML).text
    plant.service.settings.__dict__["gate_policy"] = None
    assert code(eva.post("/models/promote", data=plant.form("good"))) == "no_gate_policy"
    assert plant.choices() == ()


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"reason": ""}, 422),
        ({"reason": "  \n "}, 422),
        ({"reason": "x" * 2001}, 422),
        ({"reason": "a\0b"}, 422),
        ({"seen": ""}, 422),
        ({"seen": "9:9:console"}, 409),
        ({"model": "../../etc"}, 422),
        ({"model": "0" * 32}, 404),
    ],
)
def test_bad_and_stale_forms_change_nothing(plant, eva, values, status):
    answer = eva.post("/models/promote", data={**plant.form("good"), **values})
    assert answer.status_code == status
    assert plant.choices() == ()
    assert plant.default() == plant.service.bundles.configured


def test_a_form_of_before_another_promotion_is_told(plant, eva, member, policy):
    gated(plant.folder / "raw", policy)
    stale = plant.form("raw")
    eva.post("/models/promote", data=plant.form("good"))
    otto = member(plant.service, Role.ADMIN, login="otto")
    assert code(otto.post("/models/promote", data=stale)) == "default_changed"
    assert code(eva.post("/models/rollback", data={**stale, "model": plant.service.bundles.configured})) == (
        "default_changed"
    )
    assert plant.default() == plant.ids["good"]


def test_a_bundle_replaced_meanwhile_is_not_promoted(plant, eva):
    """The form names an id; the folder holds another bundle now."""
    form = plant.form("good")
    shutil.rmtree(plant.folder / "good")
    shutil.copytree(plant.folder / "raw", plant.folder / "good")
    assert code(eva.post("/models/promote", data=form)) == "unknown_bundle"
    assert plant.choices() == ()


def test_an_altered_bundle_is_not_promoted(plant, eva):
    form, graph = plant.form("good"), plant.folder / "good" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[-10] ^= 1
    graph.write_bytes(content)
    assert code(eva.post("/models/promote", data=form)) == "bad_bundle"
    assert plant.choices() == ()


def test_a_candidate_replaced_after_promotion_changes_nothing(plant, eva, make_service):
    eva.post("/models/promote", data=plant.form("good"))
    shutil.rmtree(plant.folder / "good")
    other = make_service(plant.service.ledger, open=False, candidates=plant.folder)
    Releases(other).follow()
    assert other.bundles.default.bundle.card.model_id == plant.ids["good"]


def test_one_step_back_needs_a_reason_and_goes_one_step(plant, eva, policy):
    first = plant.service.bundles.configured
    gated(plant.folder / "raw", policy)
    assert code(eva.post("/models/rollback", data=plant.form(first))) == "nothing_to_roll_back"
    for name in ("good", "raw"):
        done = eva.post("/models/promote", data=plant.form(name), follow_redirects=False)
        assert done.status_code == 303
    assert code(eva.post("/models/rollback", data=plant.form("good", reason=" "))) == "no_reason"
    assert code(eva.post("/models/rollback", data=plant.form(first))) == "default_changed"  # two steps
    form = plant.form("good", reason="too many doubtful sheets")
    for _ in range(2):
        assert eva.post("/models/rollback", data=form, follow_redirects=False).status_code == 303
    assert plant.default() == plant.ids["good"]
    assert rollback_target(plant.choices()) == first
    eva.post("/models/rollback", data=plant.form(first))
    assert plant.default() == first
    assert rollback_target(plant.choices()) is None
    names = [row["name"] for row in events(plant.service, "bundle_promoted", "bundle_rolled_back")]
    assert names == ["bundle_promoted"] * 2 + ["bundle_rolled_back"] * 2
    assert verify(plant.service.ledger).clean


def test_a_bundle_that_is_called_as_another_ones_id_is_not_taken_for_it(plant, eva):
    inspector = plant.service.bundles.default
    plant.service.bundles._by_id = {inspector.bundle.card.model_id: (plant.ids["good"], inspector)}
    assert eva.post("/models/promote", data=plant.form("good"), follow_redirects=False).status_code == 303
    assert plant.default() == plant.ids["good"]


def test_choices_hold_on_each_kind_of_database(both, member, make_bundle, policy, tmp_path):
    folder = tmp_path / "bundles"
    both.settings.__dict__.update(candidates=folder, gate_policy=policy)
    folder.mkdir()
    shutil.move(make_bundle("made"), folder / "own")
    model = gated(folder / "own", policy)
    eva = member(both, Role.ENGINEER, login="eva")
    form = {"model": model, "seen": "0", "reason": "first"}
    assert eva.post("/models/promote", data=form, follow_redirects=False).status_code == 303
    assert both.bundles.default.bundle.card.model_id == model
    assert "own" in eva.get("/models", headers=HTML).text


def test_of_two_services_that_promote_at_once_one_is_refused(
    ledger, make_service, make_bundle, policy, tmp_path
):
    """Each has its own chain; the row of the ledger holds the second one off until the first has ended."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    ids = []
    for name, temperature in (("one", 1.0), ("two", 1.5)):
        shutil.move(make_bundle(f"made-{name}", temperature=temperature), folder / name)
        ids.append(gated(folder / name, policy))
    found = []

    def act(service, model):
        person = user(service, f"login-{model[:4]}", Role.ENGINEER)
        caller = Caller(person, "x", Role.ENGINEER, PERMISSIONS[Role.ENGINEER], session="s")
        try:
            found.append(promote(service, Releases(service), caller, Wish(model, "0", "mine")).model)
        except Problem as problem:
            found.append(problem.code)

    settings = {"open": False, "candidates": folder, "gate_policy": policy, **FAST}
    threads = [threading.Thread(target=act, args=(make_service(ledger, **settings), model)) for model in ids]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each in ids for each in found) == [False, True]
    assert "default_changed" in found
    with ledger.read() as connection:
        assert len(ChoiceLog().read(connection)) == 1


def test_what_is_no_bundle_is_named_and_links_are_not_followed(plant, eva, tmp_path):
    (plant.folder / HOSTILE.replace("/", "_")).mkdir()
    (plant.folder / "link").symlink_to(plant.folder / "good")
    (plant.folder / "file").write_text("x")
    page = eva.get("/models", headers=HTML)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert "No bundle:" in page.text
    assert 'id="bundle-' in page.text
    assert page.text.count(f'id="bundle-{plant.ids["good"]}"') == 1


def test_an_empty_service_without_a_folder_shows_its_bundle(closed, member):
    page = member(closed, Role.ENGINEER, login="eva").get("/models", headers=HTML)
    assert page.status_code == 200
    assert "No second bundle judges" in page.text
    assert "Nothing was promoted here yet" in page.text
    assert "Learning needs the settings" in page.text
