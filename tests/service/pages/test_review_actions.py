"""Recommended actions over HTTP: shown with their reason, answered, on record, counted; bad files."""

import pytest
from tests.service.access.conftest import FAST, code
from tests.service.pages.conftest import fill, sheet_of, verdict_of
from tests.service.pages.test_review import claim, decide, reviews

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer
from steelsight.quality.ledger import Period
from steelsight.quality.recommendations import read_rule_counts, together
from steelsight.service.access.roles import Role
from steelsight.service.pages.quality import routes
from steelsight.service.shown_recommendations import ShownRecommendations

POLICY = """
[[rule]]
name = "large <b>"
action = "hold"
types = ["type 1"]
least_area_mm2 = 700
least_image_share = 0.05

[[rule]]
name = "rest"
action = "accept"
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


OPTIONS = {"open": False, "alarms": False, "deliver": False, **FAST}


@pytest.fixture
def advised(ledger, make_service, policy):
    """On each kind of database."""
    return make_service(ledger, recommendation_policy=policy, **OPTIONS)


@pytest.fixture
def small(sqlite_ledger, make_service, policy):
    return make_service(sqlite_ledger, recommendation_policy=policy, **OPTIONS)


def shown(found):
    return {"action": "hold", "rule": "large <b>", "policy": policy_of(found)}


def policy_of(found):
    text = found["html"].replace("&#34;", '"')
    return text.split('"policy": "')[1][:64]


def test_the_recommended_action_is_shown_with_its_reason_answered_and_counted(advised, member, monkeypatch):
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 300.0)
    names = fill(advised, 4)
    anna = member(advised)
    for chosen in ("hold", "downgrade", None):
        found = claim(anna)
        assert "Recommended: hold" in found["html"]
        assert "large &lt;b&gt;" in found["html"]
        assert "type type 1; largest place 5.2 % of the image (at least 5.0 %)" in found["html"]
        assert decide(anna, found, recommended={**shown(found), "chosen": chosen}).status_code == 201
    done = decide(anna, claim(anna), recommended=None).json()
    row = reviews(advised, names[1])[0]
    assert row["recommended"]["action"] == "hold"
    assert row["recommended"]["chosen"] == "downgrade"
    assert reviews(advised, names[3])[0]["recommended"] is None
    listed = anna.get(f"/api/v1/sheets/{names[0]}").json()["reviews"][0]["recommended"]
    assert listed["rule"] == "large <b>"
    assert verify(advised.ledger).clean
    rebuild(advised.ledger)
    assert done["sheet"] == names[3]
    with advised.ledger.read() as connection:
        (count,) = read_rule_counts(connection)
        assert read_rule_counts(connection, Period(station="line-9")) == ()
    assert (dict(count.chosen), count.not_chosen) == ({"hold": 1, "downgrade": 1}, 1)
    assert (count.differing, count.asked) == (1, 2)
    assert together([count])[0].chosen == count.chosen
    page = member(advised, Role.ENGINEER, login="emma").get("/quality").text
    assert "1 of 2 (1 % to 99 %)" in page
    assert "large &lt;b&gt;" in page


def test_a_review_that_is_taken_back_is_not_counted(small, member):
    fill(small, 1)
    anna = member(small)
    found = claim(anna)
    done = decide(anna, found, recommended={**shown(found), "chosen": "accept"}).json()
    anna.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    with small.ledger.read() as connection:
        assert read_rule_counts(connection) == ()


def test_a_calibration_gives_places_a_size_in_mm(small, member):
    scale = Calibration(mm_per_px_along=0.5, mm_per_px_across=0.5)  # 3000 px are 750 mm²
    with open_writer(small.ledger, "line-1") as writer:
        writer.append([Event(name=CALIBRATED, details=scale.as_dict())])
    fill(small, 1)
    html = claim(member(small))["html"]
    assert "largest place 750.0 mm² (at least 700.0)" in html
    assert "of the image (at least" not in html


def test_defects_a_metre_are_counted_around_the_sheet(small, member, policy):
    """Ten images of 0.5 m without a gap; within 1 m of 2.0 m lie five of them with one defect each."""
    policy.write_text(
        'count_within_m = 1\n[[rule]]\nname = "many"\naction = "hold"\nleast_per_metre = 2\n'
        '[[rule]]\nname = "rest"\naction = "accept"\n'
    )
    model = small.bundles.default.bundle.card.model_id
    entries = []
    for number in range(10):
        seen = sheet_of(number, position_m=number * 0.5, length_m=0.5)
        entries += [seen, verdict_of(seen, model, probability=0.4 if number == 4 else 0.8)]
    with open_writer(small.ledger, "line-1") as writer:
        writer.append(entries)
    html = claim(member(small))["html"]
    assert "2.0 defects a metre (at least 2.0)" in html


def test_a_value_that_is_not_known_and_a_class_that_no_bundle_has_are_told(small, member, policy):
    policy.write_text(
        '[[rule]]\nname = "many"\naction = "hold"\ntypes = ["type 1", "rust"]\nleast_per_metre = 2\n'
        '[[rule]]\nname = "rest"\naction = "accept"\n'
    )
    fill(small, 1)
    html = claim(member(small))["html"]
    assert "Recommended: accept" in html
    assert "no other rule holds" in html
    assert "Rule &#34;many&#34; was passed over" in html
    assert "names the class &#34;rust&#34;, which no opened bundle has" in html


def test_a_fault_of_the_file_is_told_and_stops_no_review(small, member, policy):
    fill(small, 3)
    anna = member(small)
    policy.write_text(POLICY.replace("hold", "scrap"))
    found = claim(anna)
    assert "line 2, rule 1 &#39;large &lt;b&gt;&#39;, action" in found["html"]
    assert "data-action" not in found["html"]
    assert decide(anna, found).status_code == 201
    policy.unlink()
    assert "cannot be read" in claim(anna)["html"]
    policy.write_text(POLICY)  # the file counts as it is now
    expire = claim(anna, sheet=found["sheet"])
    assert "Recommended: hold" in expire["html"]


def test_nothing_is_recommended_before_a_blind_decision(small, member):
    (name,) = fill(small, 1, drawn={0})
    anna = member(small)
    found = claim(anna)
    assert "Recommended" not in found["html"]
    assert "data-action" not in found["html"]
    recommended = {"action": "hold", "rule": "large", "policy": "a" * 64, "chosen": "accept"}
    done = decide(anna, found, "corrected", label="type 2", recommended=recommended)
    assert "Recommended: hold" in done.json()["html"]  # the verdict is shown now
    assert "data-action" not in done.json()["html"]
    assert reviews(small, name)[0]["recommended"] is None


def test_without_a_policy_there_is_no_recommendation(closed, member):
    fill(closed, 1)
    assert "Recommended" not in claim(member(closed))["html"]


def test_the_recommendation_speaks_german(small, member, policy):
    fill(small, 2)
    html = claim(member(small, **{"accept-language": "de"}))["html"]
    assert "Empfohlen: sperren" in html
    assert "größte Stelle 5,2 % des Bilds (mindestens 5,0 %)" in html
    policy.write_text(POLICY.replace("least_area_mm2 = 700", "least_per_metre = 9"))
    assert "wurde übergangen" in claim(member(small, login="berta", **{"accept-language": "de"}))["html"]


@pytest.mark.parametrize(
    "values",
    [{"chosen": "scrap"}, {"action": "scrap"}, {"policy": "a"}, {"rule": ""}, {"colour": "red"}],
)
def test_actions_that_cannot_be_are_refused(small, member, values):
    (name,) = fill(small, 1)
    anna = member(small)
    sent = {"action": "hold", "rule": "large", "policy": "a" * 64, **values}
    assert code(decide(anna, claim(anna), recommended=sent)) == "invalid_request"
    assert reviews(small, name) == []


# ---- the recommendation that an answer names ----


@pytest.mark.parametrize("values", [{"action": "accept"}, {"rule": "rest"}, {"policy": "a" * 64}])
def test_a_recommendation_that_was_not_shown_is_refused(advised, member, values):
    (name,) = fill(advised, 1)
    anna = member(advised)
    found = claim(anna)
    answer = decide(anna, found, recommended={**shown(found), **values, "chosen": "accept"})
    assert (answer.status_code, code(answer)) == (409, "recommendation_changed")
    assert reviews(advised, name) == []
    assert decide(anna, found, recommended=shown(found)).status_code == 201  # the sheet is hers yet


def test_a_recommendation_counts_for_its_own_sheet_and_person(small, member, policy):
    names = [*fill(small, 1), *fill(small, 1, start=1, label="type 2")]
    anna, berta = member(small), member(small, login="berta")
    one, other = (claim(anna, sheet=name) for name in names)
    assert code(decide(anna, other, recommended=shown(one))) == "recommendation_changed"
    policy.write_text(POLICY.replace("hold", "downgrade"))
    assert code(decide(berta, one, recommended=shown(one))) == "recommendation_changed"
    assert decide(anna, one, recommended=shown(one)).status_code == 201  # as it was shown to her
    assert reviews(small, names[0])[0]["recommended"]["action"] == "hold"


def test_after_a_restart_a_recommendation_is_compared_with_the_policy(small, member, policy):
    names = fill(small, 2)
    anna = member(small)
    first, second = claim(anna), claim(anna)
    for found in (first, second):
        small.recommended._shown.clear()
        if found is second:
            policy.write_text(POLICY.replace("hold", "downgrade"))
        answer = decide(anna, found, recommended=shown(found))
        assert answer.status_code == (201 if found is first else 409)
    assert [len(reviews(small, name)) for name in names] == [1, 0]
    policy.unlink()
    assert code(decide(anna, second, recommended=shown(second))) == "recommendation_changed"


def test_a_refused_recommendation_is_told_in_german(small, member):
    fill(small, 1)
    anna = member(small, **{"accept-language": "de"})
    found = claim(anna)
    error = decide(anna, found, recommended={**shown(found), "rule": "rest"}).json()["error"]
    assert (
        error["message"]
        == "Für dieses Blech wird jetzt etwas anderes empfohlen. Sehen Sie es noch einmal an."
    )


def test_only_the_newest_recommendations_are_kept():
    kept = ShownRecommendations(most=2)
    sent = {"action": "hold", "rule": "rest", "policy": "a" * 64}
    for sheet in ("a", "b", "a", "c"):
        kept.note("anna", sheet, sent)
    assert [kept.has("anna", sheet, sent) for sheet in "abc"] == [True, False, True]
    assert not kept.has("berta", "a", sent)
    assert not kept.has("anna", "a", {**sent, "action": "accept"})
