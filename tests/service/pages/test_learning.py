"""Learning from reviews as a job: one at a time, in a process of its own, cancelled, told after a reload."""

import json
import time

import pytest
from tests.service.access.conftest import code
from tests.service.pages.conftest import fill

from steelsight.adaptation.compare import HeadComparison, HeadGain
from steelsight.ledger.reading.records import list_events
from steelsight.service.access.roles import Role
from steelsight.service.learning import child, jobs
from steelsight.service.learning.jobs import Learning, missing_parts
from steelsight.service.learning.state import WORK, Job, locked, read_job, runs, write_job
from steelsight.types import Interval

HTML = {"accept": "text/html"}
JOB = "a" * 32
WAITS = (  # a process that works until it is cancelled
    "import json, os, time\n"
    "from pathlib import Path\n"
    "from steelsight.child_processes import end_with_parent\n"
    "from steelsight.service.learning.child import _end_when_cancelled\n"
    "words = json.loads(os.environ['STEELSIGHT_LEARNING'])\n"
    "end_with_parent(words['parent'])\n"
    "_end_when_cancelled(Path(words['candidates']) / '.learn' / 'cancel', json.loads(words['job'])['id'])\n"
    "time.sleep(300)\n"
)

pytestmark = pytest.mark.skipif(bool(missing_parts()), reason="needs the extra [adapt]")


@pytest.fixture
def plant(closed, tmp_path):
    closed.settings.__dict__["candidates"] = tmp_path / "bundles"
    return closed


@pytest.fixture
def eva(plant, member):
    client = member(plant, Role.ENGINEER, login="eva")
    yield client
    client.app.state.learning.close()


def form(service, **values):
    return {"model": service.bundles.configured, "job": JOB, **values}


def events(service):
    with service.ledger.read() as connection:
        rows = list_events(connection).rows
    return [row for row in rows if row["name"].startswith("learning_")][::-1]


def until(condition):
    """Wait for a process; a condition that never holds ends the test by its time limit."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("not within two minutes")


def ended(service):
    return len(events(service)) == 2


def test_a_ledger_without_reviews_is_told_as_the_reason(plant, eva, member):
    fill(plant, 2)
    answer = eva.post("/models/learn", data=form(plant), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/models#learning")
    until(lambda: ended(plant))
    page = eva.get("/models/learn", headers=HTML).text
    assert "expected reviews, found none" in page
    viewer = member(plant, Role.VIEWER, login="vera").get("/models/learn", headers=HTML).text
    assert "Failed" in viewer
    assert "expected reviews" not in viewer  # it names places of the service
    assert "Failed" in page
    started, last = events(plant)
    assert (started["person"], started["subject"]) == (eva.person, plant.bundles.configured)
    assert (last["details"]["outcome"], last["person"]) == ("failed", None)
    assert not runs(plant.settings.candidates)
    assert [each.name for each in (plant.settings.candidates / WORK).iterdir() if each.is_dir()] == []


@pytest.fixture
def running(plant, eva, monkeypatch):
    monkeypatch.setattr(jobs, "PROGRAM", WAITS)
    assert eva.post("/models/learn", data=form(plant), follow_redirects=False).status_code == 303
    assert runs(plant.settings.candidates)
    return plant


def test_one_job_runs_at_a_time_and_survives_a_reload(running, eva, member, make_service):
    for _ in range(2):
        page = eva.get("/models", headers=HTML).text
        assert "A head is being fitted" in page
        assert 'hx-trigger="every 2s"' in page
        assert 'action="/models/learn"' not in page
    assert eva.post("/models/learn", data=form(running), follow_redirects=False).status_code == 303  # again
    assert code(eva.post("/models/learn", data=form(running, job="b" * 32))) == "learning_runs"
    other = make_service(running.ledger, open=False, candidates=running.settings.candidates)
    assert Learning(other).job().outcome is None  # another service on the same folder sees it running
    assert len(events(running)) == 1


def test_a_job_is_cancelled_by_a_person_on_record(running, eva, member):
    viewer = member(running, Role.OPERATOR, login="olga")
    assert 'action="/models/learn/cancel"' not in viewer.get("/models", headers=HTML).text
    assert code(viewer.post("/models/learn/cancel", data={"job": JOB})) == "forbidden"
    assert code(eva.post("/models/learn/cancel", data={"job": "b" * 32})) == "learning_changed"
    for _ in range(2):
        assert eva.post("/models/learn/cancel", data={"job": JOB}, follow_redirects=False).status_code == 303
    until(lambda: ended(running))
    last = events(running)[-1]
    assert (last["details"]["outcome"], last["person"]) == ("cancelled", eva.person)
    assert "Cancelled" in eva.get("/models/learn", headers=HTML).text


def test_the_end_of_the_service_ends_the_job(running, eva):
    learning = eva.app.state.learning
    learning.close()
    assert not runs(running.settings.candidates)
    assert learning.job().outcome == "failed"


def test_a_job_whose_service_was_killed_is_told_as_stopped(plant, eva):
    folder = plant.settings.candidates
    with locked(folder):
        write_job(folder, Job(id=JOB, person="b" * 32, base="x", base_name="x", started_us=1))
        assert eva.app.state.learning.job().outcome is None
    assert eva.app.state.learning.job().outcome == "stopped"
    assert "Stopped" in eva.get("/models", headers=HTML).text


@pytest.mark.parametrize(
    "content", ["", "{", '{"id": "../../x"}', "[]", json.dumps({"id": JOB, "started_us": "x"})]
)
def test_a_damaged_file_of_the_job_is_no_job(plant, eva, content):
    folder = plant.settings.candidates / WORK
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(content)
    assert read_job(plant.settings.candidates) is None
    assert eva.get("/models", headers=HTML).status_code == 200


def test_what_is_missing_is_said(plant, eva, monkeypatch):
    monkeypatch.setattr(jobs, "missing_parts", lambda: ["onnx"])
    monkeypatch.setattr("steelsight.service.pages.models.shown.missing_parts", lambda: ["onnx"])
    assert "pip install &#39;steelsight[adapt]&#39;" in eva.get("/models", headers=HTML).text.replace(
        "'", "&#39;"
    )
    assert code(eva.post("/models/learn", data=form(plant))) == "adapt_missing"
    monkeypatch.undo()
    assert code(eva.post("/models/learn", data=form(plant, model="0" * 32))) == "bundle_not_at_hand"
    plant.settings.__dict__["candidates"] = None
    assert code(eva.post("/models/learn", data=form(plant))) == "no_candidates"
    assert events(plant) == []


@pytest.mark.parametrize(
    "values", [{"job": "../../x"}, {"model": "../../x"}, {"job": ""}, {"take_classes": "maybe"}]
)
def test_bad_forms_start_nothing(plant, eva, values):
    assert eva.post("/models/learn", data=form(plant, **values)).status_code == 422
    assert events(plant) == []


def test_figures_with_bounds_and_a_refusal_are_shown(plant, eva):
    gain = HeadGain(Interval(0.6, 0.5, 0.7), Interval(0.8, 0.7, 0.9), Interval(0.2, 0.1, 0.3))
    figures = HeadComparison(gain, None, None, ()).as_dict()
    folder = plant.settings.candidates
    with locked(folder):
        pass
    job = Job(id=JOB, person=eva.person, base="x", base_name="<b>x</b>", started_us=1, ended_us=2)
    written = job.model_copy(
        update={"outcome": "written", "comparison": figures, "name": "own-1", "model": "c" * 32}
    )
    write_job(folder, written)
    page = eva.get("/models", headers=HTML).text
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    for words in ("0.600", "[0.700; 0.900]", "+0.200", "own-1", "A new bundle was written"):
        assert words in page
    write_job(
        folder, job.model_copy(update={"outcome": "refused", "message": "a gain of +0.001 [-0.1, +0.1]"})
    )
    page = eva.get("/models", headers=HTML).text
    assert "Refused" in page
    assert "a gain of +0.001" in page


def test_a_base_that_was_replaced_meanwhile_is_refused(tmp_path):
    job = Job(id=JOB, person="b" * 32, base="c" * 32, base_name="x", started_us=1)
    child._refuse_other_base({"adapted": [{"from_model_id": "c" * 32}]}, job)
    for source in ({}, {"adapted": []}, {"adapted": [{"from_model_id": "d" * 32}]}):
        with pytest.raises(Exception, match="was replaced meanwhile"):
            child._refuse_other_base(source, job)
