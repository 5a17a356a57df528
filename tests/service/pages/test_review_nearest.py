"""Nearest reviewed sheets: whose, how many are computed, and none that would give an answer away."""

import threading

import numpy as np
import pytest
from tests.service.access.conftest import code
from tests.service.api.conftest import jpeg
from tests.service.pages.conftest import CLASSES, SIZE, fill
from tests.service.pages.review_sheets import defective, judged
from tests.service.pages.test_review_known import make_known

from steelsight.runtime.familiarity import distances_between
from steelsight.service.pages.review.evidence.embeddings import Embeddings
from steelsight.service.pages.review.explained import model_input
from steelsight.service.pages.review.reliability import MapFlag
from steelsight.service.problem import Problem


def nearest(client, name):
    answer = client.get(f"/review/sheets/{name}/nearest")
    assert answer.status_code == 200, answer.text
    return answer.text


def claim(client, name):
    return client.post("/review/claim", json={"sheet": name}).json()


def decide(client, name, label, **values):
    found = claim(client, name)
    body = {"sheet": name, "claim": found["claim"], "answer": "corrected", "label": label, **values}
    answer = client.post("/review/decide", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def already_read(digest):
    raise AssertionError(f"{digest} was computed already")


def test_the_nearest_are_shown_first_with_the_persons_label(both, member, packaged):
    pictures = defective(packaged)
    names = [judged(both, content, verdict, number=at) for at, (content, verdict) in enumerate(pictures)]
    anna = member(both)
    assert "No sheet that you may compare it with is reviewed yet" in nearest(anna, names[0])
    labels = {}
    for name, (_, verdict) in zip(names[1:], pictures[1:], strict=True):
        labels[name] = next(each for each in CLASSES if each != verdict.label)
        decide(anna, name, labels[name])
    text = nearest(anna, names[0])
    shown = [each.partition("/thumbnail")[0] for each in text.split("/line/sheets/")[1:]]
    digests = [anna.get(f"/api/v1/sheets/{name}").json()["image_hash"] for name in names]
    kept = anna.app.state.evidence.embeddings.of(packaged, digests, already_read, most_new=0)
    embeddings = np.stack([kept[digest] for digest in digests])
    distances = distances_between(embeddings[0], embeddings[1:], packaged.bundle.statistics)
    assert shown == [names[1 + at] for at in np.argsort(distances)[:3]]
    limit = packaged.bundle.card.familiarity.limit
    for at in np.argsort(distances)[:3]:
        assert f"distance {distances[at] / limit:.2f} of the limit" in text
        assert f">{labels[names[1 + at]]}<" in text
    assert "compared with 4 reviewed sheets" in text
    assert anna.get(f"/line/sheets/{shown[0]}/thumbnail").status_code == 200


def test_a_draw_is_shown_only_to_those_who_have_decided_it(both, member):
    (drawn,) = fill(both, 1, drawn={0})
    (other,) = fill(both, 1, start=1)
    anna, berta = member(both), member(both, login="berta")
    decide(anna, drawn, "type 2")
    assert drawn in nearest(anna, other)
    assert "No sheet that you may compare it with" in nearest(berta, other)
    assert berta.get(f"/api/v1/sheets/{drawn}").status_code == 200  # seen, and still not decided by her
    assert "No sheet that you may compare it with" in nearest(berta, other)


def test_what_was_taken_back_or_not_known_or_shows_the_same_image_is_no_case(closed, member):
    names = fill(closed, 4)
    (same,) = fill(closed, 1, start=5)  # has the image of the first
    anna = member(closed)
    done = decide(anna, names[1], "type 2")
    anna.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    decide(anna, names[2], None, answer="unsure")
    decide(anna, same, "type 2")
    assert "No sheet that you may compare it with" in nearest(anna, names[0])
    decide(anna, names[3], "type 2")
    text = nearest(anna, names[0])
    assert text.count("/thumbnail") == 1
    assert names[3] in text


def test_a_wrong_reason_is_told_and_images_that_are_gone_are_left_out(closed, member):
    names = fill(closed, 3)
    anna = member(closed)
    found = claim(anna, names[1])
    body = {"sheet": names[1], "claim": found["claim"], "answer": "confirmed", "nuisance": "stain"}
    assert anna.post("/review/decide", json=body).status_code == 201
    decide(anna, names[2], "type 2")
    closed.images.remove(anna.get(f"/api/v1/sheets/{names[2]}").json()["image_hash"])
    text = nearest(anna, names[0])
    assert "wrong reason: stain" in text
    assert "compared with 1 reviewed sheet<" in text


def test_what_others_said_of_a_known_case_is_not_shown(both, member):
    names = fill(both, 3)
    anna, berta = member(both), member(both, login="berta")
    for name in names[1:]:
        decide(berta, name, "type 2")
    assert names[1] in nearest(anna, names[0])
    make_known(both, **{names[1]: "type 3"})
    text = nearest(anna, names[0])
    assert names[1] not in text
    assert names[2] in text


def test_an_unreadable_sheet_has_no_nearest(closed, member):
    names = fill(closed, 2)
    anna = member(closed)
    decide(anna, names[1], "type 2")
    closed.images.remove(anna.get(f"/api/v1/sheets/{names[0]}").json()["image_hash"])
    assert "No reviewed sheet could be compared" in nearest(anna, names[0])


# ---- the embeddings that are kept ----


class Images:
    """Image files by a digest of their own, and which were read."""

    def __init__(self, count):
        self.files = {f"d{at}": jpeg(at, SIZE) for at in range(count)}
        self.read = []

    def __call__(self, digest):
        self.read.append(digest)
        if digest not in self.files:
            raise Problem(404, f"image_{digest}", "gone", "look elsewhere")
        return self.files[digest]


def test_each_image_is_read_once_and_at_most_some_at_a_time(packaged):
    images, kept = Images(5), Embeddings()
    wanted = [*images.files, "pruned"]
    first = kept.of(packaged, wanted, images, most_new=3)
    assert list(first) == ["d0", "d1", "d2"]
    second = kept.of(packaged, wanted, images, most_new=3)
    assert list(second) == list(images.files)
    assert kept.of(packaged, wanted, images, most_new=3).keys() == second.keys()
    assert images.read == wanted  # what is gone for good is not looked for again
    for _ in range(2):  # what is away may come back
        kept.of(packaged, ["missing"], images, most_new=3)
    assert images.read == [*wanted, "missing", "missing"]
    direct = packaged.engine(model_input(packaged, images.files["d1"])[0][None]).embedding[0]
    assert np.corrcoef(second["d1"], direct)[0, 1] > 0.999  # bf16 in a batch of another size


def test_only_so_many_are_kept_those_used_last(packaged):
    images, kept = Images(4), Embeddings(kept=2)
    kept.of(packaged, ["d0", "d1"], images, most_new=9)
    kept.of(packaged, ["d0"], images, most_new=9)
    kept.of(packaged, ["d2"], images, most_new=9)
    images.read.clear()
    assert kept.of(packaged, ["d0", "d2"], images, most_new=0).keys() == {"d0", "d2"}
    assert kept.of(packaged, ["d1"], images, most_new=0) == {}
    assert images.read == []


def test_two_requests_read_an_image_once(packaged):
    images, kept, barrier = Images(3), Embeddings(wait_s=120.0), threading.Barrier(2)
    found = []

    def ask():
        barrier.wait()
        found.append(kept.of(packaged, list(images.files), images, most_new=9))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [len(each) for each in found] == [3, 3]
    assert sorted(images.read) == list(images.files)


# ---- maps ----


def test_contours_are_another_picture_of_the_same_part(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    pictures = [
        anna.get(f"/review/sheets/{name}/map", params={"label": "type 1", **style})
        for style in ({}, {"style": "heat"}, {"style": "contours"})
    ]
    assert [each.headers["content-type"] for each in pictures] == ["image/png"] * 3
    assert pictures[0].content == pictures[1].content != pictures[2].content
    answer = anna.get(f"/review/sheets/{name}/map", params={"label": "type 1", "style": "oil"})
    assert (answer.status_code, code(answer)) == (422, "invalid_request")


@pytest.mark.parametrize("share", [None, 0.4])
def test_a_map_is_flagged_where_something_is_known_against_it(closed, member, share):
    (name,) = fill(closed, 1)
    anna = member(closed)
    assert "map-flag" not in claim(anna, name)["html"]
    asked = []

    def unreliable(verdict, card):
        asked.append((verdict["sheet"], card.model_id))
        return MapFlag(share)

    anna.app.state.evidence.reliability = unreliable
    html = claim(anna, name)["html"]
    assert "This map may not show what the model relied on." in html
    assert ("40 % of such maps point to the defect." in html) is (share is not None)
    assert asked == [(name, closed.bundles.default.bundle.card.model_id)]


def test_no_flag_and_no_evidence_where_nothing_may_be_shown(closed, member):
    (drawn,) = fill(closed, 1, drawn={0})
    (unknown,) = fill(closed, 1, start=1, state="unknown_input", reason="unfamiliar")
    anna = member(closed)
    anna.app.state.evidence.reliability = lambda verdict, card: MapFlag()
    for name in (drawn, unknown):
        html = claim(anna, name)["html"]
        assert not any(each in html for each in ("map-flag", "covered-answer", "nearest"))
