"""The page Line over HTTP, the watch of its stream, small pictures, static files and languages."""

import json
import re
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from tests.service.access.conftest import SAME, code
from tests.service.pages.conftest import fill
from tests.service.pages.test_review import claim

from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import watches
from steelsight.ledger.reading.tail import first_entered_after, read_heads
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller, Role
from steelsight.service.pages.static_files import static_url
from steelsight.service.pages.words import words_in
from steelsight.service.reviewing.seen import MARGIN_US, begin_watch

HTML = {"accept": "text/html"}


@pytest.mark.parametrize("role", Role)
def test_every_role_sees_the_line(closed, member, role):
    names = fill(closed, 3)
    client = member(closed, role)
    page = client.get("/line", headers=HTML)
    assert page.status_code == 200
    begin = json.loads(re.search(r'data-begin="([^"]*)"', page.text)[1].replace("&#34;", '"'))
    assert [each["sheet"] for each in begin["verdicts"]] == names
    assert begin["review"] is (role in (Role.OPERATOR, Role.ENGINEER, Role.ADMIN))
    assert "Sheets a minute" in client.get("/line/figures").text
    assert "No alarm." in client.get("/line/alarms").text


def test_the_figures_count_what_the_ledger_holds(both, member):
    fill(both, 4, probability=0.5)
    fill(both, 3, start=4, probability=0.99)
    fill(both, 2, start=7, label="none", probability=0.99)
    fill(both, 1, start=9, station="line-2", state="unknown_input", reason="unfamiliar")
    client = member(both, Role.VIEWER)
    recent = client.app.state.line_figures.now()
    assert recent.states == {"decided": 5, "doubtful": 4, "unknown_input": 1, "bad_image": 0}
    assert (recent.sheets, recent.defects, recent.labels) == (10, 3, (("type 1", 3),))
    assert sum(recent.per_minute) == 10
    assert len(recent.minutes) == len(recent.per_minute) == len(recent.undecided) == 60
    assert {each.name: each.latency_ms for each in recent.stations} == {"line-1": 31.0, "line-2": 31.0}
    assert recent.rate == pytest.approx(10 / 5)


def test_a_small_picture_keeps_the_aspect_and_marks_the_places(closed, member):
    name, plain = fill(closed, 2)
    client = member(closed)
    answer = client.get(f"/line/sheets/{name}/thumbnail")
    picture = Image.open(BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/jpeg"
    assert picture.size == (480, 77)
    pixels = np.asarray(picture).astype(int)
    assert (pixels[..., 0] > pixels[..., 2] + 60).sum() > 100
    again = client.get(f"/line/sheets/{name}/thumbnail", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert code(client.get(f"/line/sheets/{'0' * 32}/thumbnail")) == "unknown_sheet"
    with closed.ledger.read() as connection:
        rows = connection.execute(select(schema.sheets).where(schema.sheets.c.sheet == plain)).one()
    closed.images.remove(rows.image_hash)
    assert code(client.get(f"/line/sheets/{plain}/thumbnail")) == "image_missing"


def caller(person):
    return Caller(person, "anna", Role.OPERATOR, frozenset())


def test_who_follows_the_stream_has_seen_its_draws(both, member):
    anna, berta = member(both), member(both, login="berta")
    watch = begin_watch(both, caller(anna.person), now_us(), 20.0)
    fill(both, 1, drawn={0})
    assert claim(anna)["sheet"] is None
    watch.renew()
    watch.end()
    assert claim(berta)["sheet"] is not None
    with both.ledger.read() as connection:
        (row,) = connection.execute(select(watches)).all()
    assert row.until_us <= now_us()
    assert begin_watch(both, Caller(None, "machine", None, frozenset(), token="t"), 0, 1.0) is None


def test_who_stopped_long_before_has_seen_nothing(closed, member):
    anna = member(closed)
    begin_watch(closed, caller(anna.person), 0, 0.0)
    with closed.ledger.write() as connection:
        connection.execute(watches.update().values(until_us=now_us() - 2 * MARGIN_US))
    fill(closed, 1, drawn={0})
    assert claim(anna)["sheet"] is not None


def test_a_stream_that_goes_on_after_a_cursor_shows_what_was_entered_since(both):
    fill(both, 2)
    with both.ledger.read() as connection:
        heads = read_heads(connection)
    assert first_of(both, heads.seqs) == []
    fill(both, 2, start=2)
    fill(both, 1, start=4, station="line-2")
    with both.ledger.read() as connection:
        table = schema.verdicts
        entered = dict(
            connection.execute(select(table.c.seq, table.c.entered_us).where(table.c.seq == 6)).all()
        )
        other = connection.execute(select(table.c.entered_us).where(table.c.writer == "line-2")).scalar_one()
    assert sorted(first_of(both, heads.seqs)) == sorted([entered[6], other])


def first_of(service, seqs):
    with service.ledger.read() as connection:
        return first_entered_after(connection, seqs)


def test_static_files_are_versioned_public_and_nothing_else_is_served(closed, client_of):
    client = client_of(closed)
    for name in (
        "console.css",
        "review.js",
        "line.js",
        "vendor/htmx-4.0.1.min.js",
        "vendor/uplot-LICENSE.txt",
    ):
        answer = client.get(static_url(name))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/console.css").headers["cache-control"] == "public, max-age=60"
    for name in ("../pages/rendering.py", "..%2frendering.py", "rendering.py", "%00", "vendor", ""):
        assert client.get(f"/static/{name}").status_code in (404, 422)


def test_vendored_libraries_come_with_their_licences():
    folder = files("steelsight.service.pages") / "static" / "vendor"
    names = {each.name for each in folder.iterdir()}
    assert {"htmx-4.0.1.min.js", "uplot-1.6.32.min.js", "uplot-1.6.32.min.css"} <= names
    assert "Permission" in (folder / "htmx-LICENSE.txt").read_text()
    assert "MIT" in (folder / "uplot-LICENSE.txt").read_text()


def test_pages_name_no_other_host_and_no_inline_script_or_style(closed, member):
    fill(closed, 1)
    client = member(closed)
    for address in ("/line", "/review"):
        text = client.get(address, headers=HTML).text
        assert "://" not in re.sub(r'data-begin="[^"]*"', "", text)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
        assert len(text.encode()) < 60_000
    policy = client.get("/line", headers=HTML).headers["content-security-policy"]
    assert "unsafe" not in policy
    size = sum(
        len(client.get(static_url(name)).content)
        for name in (
            "console.css",
            "line.js",
            "vendor/htmx-4.0.1.min.js",
            "vendor/uplot-1.6.32.min.js",
            "vendor/uplot-1.6.32.min.css",
        )
    )
    assert size < 230_000  # with the page below the 300 kB of a first load


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("de", "de"),
        ("fr;q=0.9, de-AT;q=0.8, en;q=0.1", "de"),
        ("fr", "en"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("de;q=x, \x80", "en"),
        ("," * 400, "en"),
    ],
)
def test_the_language_is_the_browsers(closed, member, wanted, language):
    fill(closed, 1)
    client = member(closed)
    page = client.get("/line", headers={**HTML, "accept-language": wanted.encode("latin-1")})
    assert f'<html lang="{language}">' in page.text
    assert ("Begutachten" in page.text) is (language == "de")


def test_the_language_is_chosen_and_kept(closed, member):
    client = member(closed)
    answer = client.post("/language", data={"language": "de", "next": "/line"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/line")
    kept = client.headers["cookie"] + "; steelsight_language=de"
    assert '<html lang="de">' in client.get("/line", headers={**HTML, "cookie": kept}).text
    answer = client.post("/language", data={"language": "xx"})
    assert (answer.status_code, code(answer)) == (422, "unknown_language")
    elsewhere = {"language": "de", "next": "//elsewhere.example"}
    assert client.post("/language", data=elsewhere, follow_redirects=False).headers["location"] == "/"
    answer = client.post(
        "/language", data={"language": "de"}, headers={**SAME, "sec-fetch-site": "cross-site"}
    )
    assert code(answer) == "cross_site"


def test_a_page_that_does_not_exist_is_told_as_a_page_and_to_programs_as_json(closed, client_of):
    client = client_of(closed)
    assert "text/html" in client.get("/nowhere", headers=HTML).headers["content-type"]
    assert code(client.get("/nowhere")) == "not_found"
    assert code(client.get("/api/v1/nowhere", headers=HTML)) == "not_found"


def test_both_catalogs_hold_every_message(tmp_path):
    """What Babel finds in the package is in both catalogs; the compiled files are those of the texts."""
    extract = pytest.importorskip("babel.messages.extract", reason="needs the package babel")
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    folder = files("steelsight.service.pages")
    options = {"**/templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
    calls = {"N_": None, "words": None, "_": None, "gettext": None, "ngettext": (1, 2)}
    found = [
        each
        for room in (folder, files("steelsight.service.access"), files("steelsight.service.wording"))
        for each in extract.extract_from_dir(str(room), methods, options, calls)
    ]
    wanted = {each[2][0] if isinstance(each[2], tuple) else each[2] for each in found}
    assert len(wanted) > 150
    for language in ("en", "de"):
        place = folder / "locale" / language / "LC_MESSAGES"
        catalog = read_po(BytesIO((place / "console.po").read_bytes()), locale=language)
        messages = {
            each.id[0] if isinstance(each.id, tuple) else each.id: each for each in catalog if each.id
        }
        assert set(messages) == wanted
        for each in messages.values():
            assert all(each.string if isinstance(each.string, tuple) else [each.string]), each.id
            assert not each.fuzzy
        compiled = BytesIO()
        write_mo(compiled, catalog)
        assert compiled.getvalue() == (place / "console.mo").read_bytes()


def test_numbers_and_shares_are_written_as_the_language_does():
    english, german = words_in("en"), words_in("de")
    assert (english.percent(0.123, 1), german.percent(0.123, 1)) == ("12.3 %", "12,3 %")
    assert (english.percent(0), english.percent(1)) == ("0 %", "100 %")
    assert (english.percent(0.0001, 1), english.percent(0.9999, 1)) == ("< 0.1 %", "> 99.9 %")
    assert german("Log out") == "Abmelden"
