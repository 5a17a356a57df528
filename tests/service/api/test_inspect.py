"""POST /inspect: the verdict is that of the bundle, and what is recorded is in the ledger once."""

import base64
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.service.api.conftest import jpeg, refused, send, token

from steelsight.ledger.proof.verify import verify
from steelsight.service.access.roles import Permission


def judged(inspector, content):
    verdict = inspector.inspect(content)
    return verdict.as_dict()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_answer_is_the_verdict_of_the_bundle(lite_client, packaged, number):
    answer = send(lite_client, jpeg(number)).json()
    expected = judged(packaged, jpeg(number))
    assert {name: answer[name] for name in expected} == expected
    assert answer["class_names"] == list(packaged.class_names)
    assert (answer["width"], answer["height"]) == (160, 96)
    assert answer["heatmap"] is None
    assert answer["latency_ms"] > 0


def test_a_request_with_and_without_parameters_gets_the_same_answer(sqlite_ledger, make_service, connect):
    service = make_service(sqlite_ledger, open=False)
    client = connect(service)
    allowed = {"Authorization": f"Bearer {token(service, Permission.INSPECT)}"}
    plain, solved = (send(client, jpeg(2), query, **allowed) for query in ("", "?record=false"))
    assert {**plain.json(), "latency_ms": 0} == {**solved.json(), "latency_ms": 0}
    assert set(plain.headers) == set(solved.headers)
    reader = {"Authorization": f"Bearer {token(service, Permission.READ)}"}
    for query in ("", "?record=false"):
        refused(send(client, jpeg(), query), 401, "not_logged_in")
        refused(send(client, jpeg(), query, **reader), 403, "forbidden")


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "application/octet-stream", "IMAGE/JPEG; x=y"])
def test_the_bytes_decide_what_an_image_is(lite_client, packaged, kind):
    answer = lite_client.post("/api/v1/inspect", content=jpeg(), headers={"Content-Type": kind})
    assert answer.json()["label"] == judged(packaged, jpeg())["label"]


def test_a_form_gives_the_same_answer_as_raw_bytes(lite_client):
    raw = send(lite_client, jpeg(4)).json()
    form = lite_client.post("/api/v1/inspect", files={"image": ("../../x.jpg", jpeg(4), "image/jpeg")}).json()
    assert {**raw, "latency_ms": 0} == {**form, "latency_ms": 0}


def test_heatmaps_are_those_of_the_verdict(lite_client, packaged):
    content = jpeg(3)
    heatmap = send(lite_client, content, "?heatmap=both").json()["heatmap"]
    expected = packaged.inspect(content).heatmap
    np.testing.assert_allclose(np.array(heatmap["values"]), expected, atol=1e-5)
    picture = np.asarray(Image.open(BytesIO(base64.b64decode(heatmap["png"]))))
    assert picture.shape == (*expected.shape, 4)
    strongest = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    assert picture[..., 3].max() == picture[strongest][3] == round(0.75 * 255)
    reddish = picture[..., 0] > picture[..., 2]
    np.testing.assert_array_equal(reddish, expected > 0)
    assert heatmap["original_box"] == [0, 0, 160, 96]
    assert heatmap["model_box"] == [0, 0, expected.shape[1], expected.shape[0]]


@pytest.mark.parametrize(("form", "png", "values"), [("png", True, False), ("values", False, True)])
def test_a_heatmap_comes_in_the_form_that_was_asked_for(lite_client, form, png, values):
    heatmap = send(lite_client, jpeg(), f"?heatmap={form}").json()["heatmap"]
    assert (heatmap["png"] is not None, heatmap["values"] is not None) == (png, values)


def bomb() -> bytes:
    """A PNG whose header says 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GET / HTTP/1.1", "not_an_image"),
        (jpeg()[:2000], "damaged"),
        (bomb(), "too_large"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
    ],
)
def test_an_unusable_image_gets_a_verdict_that_says_why(lite_client, content, reason):
    answer = send(lite_client, content)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["state"], body["reason"], body["label"]) == ("bad_image", reason, "")
    assert body["detail"]
    assert body["width"] is body["heatmap"] is body["probability"] is None


def test_the_limit_of_pixels_is_a_setting(sqlite_ledger, make_service, connect):
    client = connect(make_service(sqlite_ledger, most_megapixels=0.01))
    assert send(client, jpeg()).json()["reason"] == "too_large"
    assert send(client, jpeg(size=(96, 100))).json()["state"] != "bad_image"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"content": b"", "headers": {"Content-Type": "image/jpeg"}}, 422, "empty_body"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"json": {"image": "x"}}, 415, "unsupported_media_type"),
        ({"content": b"x"}, 415, "unsupported_media_type"),
        ({"files": {"picture": b"x"}}, 400, "bad_form"),
        ({"files": [("image", b"x"), ("image", b"y")]}, 400, "bad_form"),
        ({"files": {"image": b"x"}, "data": {"a": "b"}}, 400, "bad_form"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad_form"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400, "bad_form"),
        (
            {"content": b"--a\r\n\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
            400,
            "bad_form",
        ),
        (
            {
                "content": b'--a\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--a--\r\n',
                "headers": {"Content-Type": "multipart/form-data; boundary=a"},
            },
            400,
            "bad_form",  # a field, not a file
        ),
    ],
)
def test_a_body_of_another_kind_is_refused(lite_client, request_, status, code):
    refused(lite_client.post("/api/v1/inspect", **request_), status, code)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?colour=red", "query.colour"),
        ("?heatmap=svg", "query.heatmap"),
        ("?captured=2026-01-01T00:00:00", "add Z for UTC"),
        ("?captured=1700000000", "expected an ISO 8601 time with a zone"),
        ("?captured=2026-01-01T00:00:00+01:00", "%2B"),
        ("?captured=0001-01-01T00:00:00Z", "285 years"),
        ("?length_m=-1", "query.length_m"),
        ("?position_m=nan", "query.position_m"),
        ("?coil=a%00b", "query.coil"),
        ("?side=left", "query.side"),
    ],
)
def test_an_impossible_parameter_is_refused_by_its_name(lite_client, query, words):
    error = refused(send(lite_client, jpeg(), query), 422, "invalid_request")
    assert words in error["message"]


def test_an_unknown_bundle_is_refused(lite_client):
    assert (
        "nothing" in refused(send(lite_client, jpeg(), "?bundle=nothing"), 404, "unknown_bundle")["message"]
    )


def test_a_recorded_sheet_is_in_the_ledger(client, service, packaged):
    query = (
        "?record=true&station=line-7&item=a%2Fb.jpg&coil=C1&position_m=2.5&side=top"
        "&captured=2026-01-01T01:00:00%2B01:00"
    )
    answer = send(client, jpeg(1), query).json()
    history = client.get(f"/api/v1/sheets/{answer['recorded']['sheet']}").json()
    found = {name: history[name] for name in ("station", "item", "coil", "position_m", "side", "captured")}
    assert found == {
        "station": "line-7",
        "item": "a/b.jpg",
        "coil": "C1",
        "position_m": 2.5,
        "side": "top",
        "captured": "2026-01-01T00:00:00.000000Z",
    }
    (verdict,) = history["verdicts"]
    assert verdict["label"] == answer["label"]
    assert verdict["bundle"] == packaged.bundle.card.model_id
    assert list(verdict["probabilities"].values()) == answer["probabilities"]
    assert client.get(f"/api/v1/sheets/{history['sheet']}/image").content == jpeg(1)
    assert verify(service.ledger).clean


def test_a_bad_image_is_recorded_too(lite_client, lite):
    answer = send(lite_client, b"no image", "?record=true").json()
    history = lite_client.get(f"/api/v1/sheets/{answer['recorded']['sheet']}").json()
    assert history["verdicts"][0]["reason"] == "not_an_image"
    assert history["width"] is None


def test_the_same_key_gives_the_first_answer_again(client, service):
    query = "?record=true&item=a.jpg"
    first = send(client, jpeg(), query, **{"Idempotency-Key": "one"})
    again = send(client, jpeg(), query, **{"Idempotency-Key": "one"})
    assert first.json() == again.json()
    with_map = send(client, jpeg(), f"{query}&heatmap=png", **{"Idempotency-Key": "one"}).json()
    assert with_map["heatmap"]["png"]
    assert {**with_map, "heatmap": None} == first.json()
    assert len(client.get("/api/v1/sheets").json()["items"]) == 1


@pytest.mark.parametrize("change", ["query", "content"])
def test_the_same_key_with_another_request_is_refused(lite_client, change):
    send(lite_client, jpeg(), "?record=true&item=a.jpg", **{"Idempotency-Key": "one"})
    query = "?record=true&item=b.jpg" if change == "query" else "?record=true&item=a.jpg"
    content = jpeg(1) if change == "content" else jpeg()
    answer = send(lite_client, content, query, **{"Idempotency-Key": "one"})
    refused(answer, 422, "idempotency_key_reused")
    assert len(lite_client.get("/api/v1/sheets").json()["items"]) == 1


def test_keys_of_two_callers_are_not_compared(sqlite_ledger, make_service, connect):
    service = make_service(sqlite_ledger, open=False)
    client = connect(service)
    for number in range(2):
        secret = token(service, Permission.INSPECT)
        answer = send(
            client,
            jpeg(number),
            f"?record=true&item={number}",
            **{"Idempotency-Key": "one", "Authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 200, answer.text


def test_a_sheet_is_recorded_once(lite_client):
    sheet = send(lite_client, jpeg(), "?record=true&item=a.jpg").json()["recorded"]["sheet"]
    error = refused(send(lite_client, jpeg(1), "?record=true&item=a.jpg"), 409, "sheet_exists")
    assert error["sheet"] == sheet


def test_a_key_that_cannot_be_one_is_refused(lite_client):
    answer = send(lite_client, jpeg(), "?record=true", **{"Idempotency-Key": "x" * 201})
    refused(answer, 422, "invalid_request")


def test_without_a_store_no_image_is_kept(sqlite_ledger, make_service, connect):
    client = connect(make_service(sqlite_ledger, images=False))
    recorded = send(client, jpeg(), "?record=true").json()["recorded"]
    assert recorded["image_kept"] is False
    refused(client.get(f"/api/v1/sheets/{recorded['sheet']}/image"), 404, "image_missing")
