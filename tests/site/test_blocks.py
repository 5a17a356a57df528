"""Code on the pages is true: commands exist with their options, blocks run and print what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_cli import verbs
from tests.site.blocks import LONG, blocks, commands, run_page

DOCS = Path(__file__).parents[2] / "docs"
FOLDERS = ("tutorials", "concepts", "guides")
PAGES = [DOCS / "index.md", DOCS / "start.md", DOCS / "troubleshooting.md"]
PAGES += sorted(path for folder in FOLDERS for path in (DOCS / folder).glob("*.md"))
TEXTS = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
WITH_CODE = [
    name for name, text in TEXTS.items() if any(each.language in ("sh", "python") for each in blocks(text))
]
QUICK = [name for name in WITH_CODE if LONG not in TEXTS[name]]


def test_pages_with_code_are_found():
    assert len(WITH_CODE) >= 12
    assert len(QUICK) >= 4


@pytest.mark.parametrize("name", WITH_CODE)
def test_every_command_of_a_page_exists_with_its_options(name):
    known = verbs()
    for block in blocks(TEXTS[name]):
        for words in commands(block.text) if block.language == "sh" and not block.exit_code else ():
            verb = " ".join(words[1:3]) if " ".join(words[1:3]) in known else words[1]
            assert verb in known, f"{name}:{block.line}: {verb} is no verb"
            given = words[1 + len(verb.split()) :]
            known[verb].make_context(f"steelsight {verb}", given)  # raises where an option does not exist


@pytest.mark.parametrize("name", QUICK)
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(TEXTS[name], f"docs/{name}")


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(WITH_CODE) - set(QUICK)))
def test_the_code_of_a_page_that_trains_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(TEXTS[name], f"docs/{name}")


PAGE = """
# A page

```sh
steelsight recipes   # a comment
```
```text
default
```

```python
print("a", 3)
```
```text
a …
```
"""


def test_a_page_is_read_and_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list(blocks(PAGE))
    assert [(each.language, each.line, each.below) for each in found] == [
        ("sh", 4, False),
        ("text", 7, True),
        ("python", 11, False),
        ("text", 14, True),
    ]
    run_page(PAGE, "page")


@pytest.mark.parametrize(
    ("page", "refused"),
    [
        ("```sh\nrm -r data\n```\n", "page:1: only commands of steelsight are run, got rm"),
        (
            "```sh\nsteelsight recipes\n```\n```text\nnothing like it\n```\n",
            "page:4: the page shows 'nothing",
        ),
        ("```sh\nsteelsight recipes missing\n```\n", "page:1: steelsight recipes missing"),
        ("```\nsteelsight recipes\n```\n", "page:1: a block that is not run"),
    ],
)
def test_a_page_that_is_not_true_is_refused(page, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=refused):
        run_page(page, "page")


def test_an_expected_refusal_is_not_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page("<!-- exit 2 -->\n```sh\nsteelsight data nowhere\n```\n", "page")
