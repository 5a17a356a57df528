"""Searches among marked places: one of each person, one of all people at a time."""

import threading

import pytest
from tests.service.access.conftest import code
from tests.service.pages.review_sheets import defective, judged

from steelsight.service.pages.review.evidence import state as evidence
from steelsight.service.pages.review.evidence.state import EvidenceState
from steelsight.service.problem import Problem


def test_a_second_search_of_one_person_is_refused_at_once():
    state = EvidenceState()
    with state.covering("anna"):
        with pytest.raises(Problem, match="yours is still running") as refused, state.covering("anna"):
            pass
        assert (refused.value.status, refused.value.code) == (429, "search_running")
        assert refused.value.headers["Retry-After"] == "5"
    with state.covering("anna"):  # it has ended
        pass


def test_another_person_waits_and_the_search_that_waits_counts(monkeypatch):
    monkeypatch.setattr(evidence, "WAIT_S", 60.0)
    state, got, waits = EvidenceState(), [], threading.Event()

    def search():
        waits.set()
        with state.covering("berta"):
            got.append("berta")

    thread = threading.Thread(target=search)
    with state.covering("anna"):
        thread.start()
        waits.wait()
        while "berta" not in state._searching:
            thread.join(0.01)
        with pytest.raises(Problem) as refused, state.covering("berta"):
            pass
        assert refused.value.code == "search_running"
        assert got == []
    thread.join()
    assert got == ["berta"]


def test_a_search_that_failed_or_was_refused_does_not_count(monkeypatch):
    monkeypatch.setattr(evidence, "WAIT_S", 0.01)
    state = EvidenceState()
    with pytest.raises(ZeroDivisionError), state.covering("anna"):
        raise ZeroDivisionError
    with state.covering("anna"):
        for _ in range(2):
            with pytest.raises(Problem) as refused, state.covering("berta"):
                pass
            assert (refused.value.status, refused.value.code) == (503, "busy")
    with state.covering("berta"):
        pass


def test_the_page_is_told(closed, member, packaged):
    content, verdict = defective(packaged)[0]
    name = judged(closed, content, verdict)
    anna = member(closed)
    with anna.app.state.evidence.covering(anna.person):
        answer = anna.get(f"/review/sheets/{name}/covered")
        german = anna.get(f"/review/sheets/{name}/covered", headers={"accept-language": "de"})
    assert (answer.status_code, code(answer)) == (429, "search_running")
    assert answer.headers["retry-after"] == "5"
    message = german.json()["error"]["message"]
    assert message == "Ihre Suche unter den Stellen läuft noch. Warten Sie auf ihre Antwort."
    assert anna.get(f"/review/sheets/{name}/covered").status_code == 200
