"""The page Models in a real browser: promote, roll back, shadow, repeat a verdict, learn, by keyboard."""

import pytest
from tests.service.api.conftest import jpeg
from tests.service.pages.conftest import SIZE, fill, sheet_of
from tests.service.pages.test_models import plant, policy

from steelsight.ledger.writing.writer import open_writer
from steelsight.runtime.engine.inspector import load
from steelsight.service.access.roles import Role
from steelsight.service.judging.entries import verdict_entry
from steelsight.service.releases.choices import SHADOWS, ChoiceLog

__all__ = ["plant", "policy"]

pytestmark = pytest.mark.browser


def test_an_engineer_promotes_and_rolls_back_by_keyboard(plant, visit, served):
    page = visit(role=Role.ENGINEER, color_scheme="dark")
    page.goto(f"{served}/models")
    card = page.locator(f"#bundle-{plant.ids['good']} details")
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    card.locator("[action='/models/promote'] textarea").fill("fewer overkills on coils of May")
    card.locator("[action='/models/promote'] button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#choice-title ~ p >> text=good")
    assert plant.default() == plant.ids["good"]
    assert "fewer overkills" in page.inner_text(".history")
    back = page.locator("details.act", has=page.locator("[action='/models/rollback']"))
    back.locator("summary").click()
    back.locator("textarea").fill("too many doubtful sheets")
    back.locator("button").click()
    page.wait_for_selector("text=rolled back to")
    assert plant.default() == plant.service.bundles.configured
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_engineer_starts_and_ends_a_shadow_by_keyboard(plant, visit, served, make_bundle):
    bundles, packaged = plant.service.bundles, plant.default()
    base = load(make_bundle("base", temperature=3.0), threads=1)  # with the classes of the candidates
    bundles.add("base", base)
    bundles.configured = base.bundle.card.model_id
    bundles.make_default(bundles.configured)

    def made():
        with plant.service.ledger.read() as connection:
            return [each.name for each in ChoiceLog(SHADOWS).read(connection)]

    page = visit(role=Role.ENGINEER)
    page.goto(f"{served}/models")
    others = page.locator(f"#bundle-{packaged} details")
    others.locator("summary").focus()
    page.keyboard.press("Enter")
    assert "It cannot be the shadow:" in others.inner_text()
    card = page.locator(f"#bundle-{plant.ids['raw']} details")
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    card.locator("[action='/models/shadow'] textarea").focus()
    page.keyboard.type("before it is promoted")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#end-shadow")
    assert made() == ["shadow_started"]
    assert "before it is promoted" in page.inner_text("#choice-title ~ .history >> nth=-1")
    end = page.locator("#end-shadow")
    end.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("seen enough")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#end-shadow", state="detached")
    assert made() == ["shadow_started", "shadow_ended"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_refusal_is_shown_on_the_page_with_its_command(plant, visit, served):
    page = visit(role=Role.ENGINEER, allowed=["409"])
    page.goto(f"{served}/models")
    card = page.locator(f"#bundle-{plant.ids['raw']} details")
    card.locator("summary").click()
    assert "steelsight gate" in card.inner_text()
    good = page.locator(f"#bundle-{plant.ids['good']} details")
    good.locator("summary").click()
    good.locator("[action='/models/promote'] textarea").fill("a reason")
    plant.service.settings.__dict__["gate_policy"] = None  # the settings changed since
    good.locator("[action='/models/promote'] button").click()
    page.wait_for_selector("[role=alert] >> text=gate_policy")
    assert plant.choices() == ()


def test_a_verdict_is_repeated_and_learning_is_told_after_its_end(closed, visit, served, tmp_path):
    closed.settings.__dict__["candidates"] = tmp_path / "bundles"
    fill(closed, 2)
    content = jpeg(3, SIZE)
    seen = sheet_of(50, station="line-9", image_hash=closed.images.put(content))
    entry = verdict_entry(
        closed.bundles.default, seen.sheet, closed.bundles.default.inspect(content), latency_ms=1.0
    )
    with open_writer(closed.ledger, "line-9") as writer:
        writer.append([seen, entry])
    page = visit(role=Role.ENGINEER, locale="de-DE")
    page.goto(f"{served}/models")
    page.fill("[name=verdict]", "line-9:2")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Dieselben Zahlen.")
    page.goto(f"{served}/models")
    page.click("text=Einen Kopf an die begutachteten Bleche anpassen")
    page.wait_for_selector("text=expected reviews, found none", timeout=120_000)
    page.wait_for_selector("text=Einen Kopf an die begutachteten Bleche anpassen")
