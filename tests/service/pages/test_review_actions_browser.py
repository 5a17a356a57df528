"""The recommended action in a real browser: another one chosen by key and button, kept, and sent."""

import pytest
from tests.service.access.conftest import FAST
from tests.service.pages.conftest import fill, until
from tests.service.pages.test_review_actions import POLICY
from tests.service.pages.test_review_browser import open_review, press_and_wait, rows, wait_for

from steelsight.ledger.database import schema

pytestmark = pytest.mark.browser
PRESSED = (
    "[...document.querySelectorAll('[data-action][aria-pressed=\"true\"]')].map(each => each.dataset.action)"
)


@pytest.fixture
def closed(sqlite_ledger, make_service, tmp_path):
    """A service with a policy; `visit` logs in there."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    options = {"open": False, "alarms": False, "deliver": False, **FAST}
    return make_service(sqlite_ledger, recommendation_policy=path, **options)


def test_an_action_is_chosen_by_key_or_button_and_sent_with_the_answer(closed, visit):
    fill(closed, 4)
    page = visit()
    open_review(page)
    assert "Recommended: hold" in page.inner_text("#panel")
    for expected in (["accept"], ["re-inspect"]):
        page.keyboard.press("t")
        assert page.evaluate(PRESSED) == expected
    page.reload()
    page.wait_for_selector("#sheet")
    until(page, f"() => {PRESSED}.join() === 're-inspect'")
    press_and_wait(page, "Enter")
    assert page.evaluate(PRESSED) == []  # of the next sheet
    press_and_wait(page, "Enter")
    page.click('[data-action="downgrade"]')
    page.keyboard.press("t")  # behind the last one: none
    assert page.evaluate(PRESSED) == []
    page.click('[data-action="hold"]')
    press_and_wait(page, "3")
    wait_for(lambda: len(rows(closed)) == 3)
    found = rows(closed, schema.recommendations)
    assert [row["chosen"] for row in found] == ["re-inspect", None, "hold"]
    assert {(row["action"], row["rule"]) for row in found} == {("hold", "large <b>")}
