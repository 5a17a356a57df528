"""The generated pages list what there is: every verb, option, recipe key, file key, route and error class."""

from __future__ import annotations

import html
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from site_cli import cli_pages, verbs
from site_errors import error_classes, errors_page, messages
from site_formats import FORMATS, classes_of, formats_page
from site_keys import comments_of, reasons_of, values_of
from site_links import site_markdown
from site_python import MODULES
from site_recipe import recipe_page
from site_tables import titled_cells
from site_text import code, escape, table

import steelsight as ss
from steelsight.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def shown(page: str) -> str:
    """The text of a page with code spans as they are read."""
    return html.unescape(re.sub(r"</?code>", "`", page))


def test_every_verb_and_option_is_on_one_page():
    pages = {name: shown(text) for name, text in cli_pages().items()}
    for name, command in verbs().items():
        holding = [text for text in pages.values() if f"## steelsight {name} {{" in text]
        assert len(holding) == 1, name
        part = holding[0].partition(f"## steelsight {name} {{")[2].partition("\n## ")[0]
        for parameter in command.params:
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{flag}`" in part, f"{name} {flag}"
            words = " ".join(str(parameter.help).replace("\\", "").split())[:40]
            assert words in part.replace("\\", ""), f"{name}: help of {parameter.name}"
    assert all(f"`{name}`" in pages["reference/cli/index.md"] for name in verbs())


def test_every_page_of_the_navigation_is_made_and_every_made_page_is_in_it():
    named = set(re.findall(r"(reference/\S+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    made = {*cli_pages(), *(f"reference/python/{name}.md" for name in MODULES)}
    made |= {f"reference/{name}.md" for name in ("recipe", "formats", "http", "errors", "index")}
    assert named == made


def test_every_name_and_every_result_of_the_api_has_its_module_in_the_reference():
    listed = {module for _, modules in MODULES.values() for module in modules}
    named = {getattr(ss, name).__module__ for name in ss.__all__ if name != "__version__"}
    assert named <= listed
    folder = ROOT / "src" / "steelsight" / "api" / "results"
    results = {f"steelsight.api.results.{path.stem}" for path in folder.glob("[!_]*.py")}
    assert results <= listed
    assert all(find_spec(module) is not None for module in listed)


def test_every_recipe_key_has_its_meaning_and_its_reason():
    page = recipe_page()
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if not hasattr(kind, "model_fields"):
            assert all(shown_cells(page, "top")[name]), name
            continue
        rows = shown_cells(page, name)
        for key in kind.model_fields:
            assert all(rows[key]), f"{name}.{key}: {rows[key]}"


def shown_cells(page: str, anchor: str) -> dict[str, list[str]]:
    """The rows of a section's table by their key."""
    part = page.partition(f"{{#{anchor}}}")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| <code>")]
    return {shown(row[0]).strip(" `"): [cell.strip() for cell in row] for row in rows}


def test_every_recipe_of_the_package_is_listed_with_reasons():
    page = recipe_page()
    for path in (ROOT / "src/steelsight/training/recipes").glob("*.toml"):
        assert path.stem == "default" or f"### {path.stem} {{" in page
    assert "ImageNet features of 1280 channels" in page


def test_every_class_and_key_of_the_formats_is_listed():
    page = formats_page()
    for name in FORMATS:
        kinds = classes_of(import_module(name))
        assert kinds, name
        for kind in kinds:
            part = page.partition(f"### {kind.__name__} {{")[2].partition("\n### ")[0]
            missing = [key for key in kind.model_fields if code(key) not in part]
            assert not missing, f"{kind.__name__}: {missing}"


def test_every_error_class_is_listed_with_its_exit_code():
    page = errors_page()
    for name, kind in error_classes().items():
        part = page.partition(f"## {name} {{")[2].partition("\n## ")[0]
        assert part, name
        assert f"Exit code {2 if 'BadInput' in [each.__name__ for each in kind.__mro__] else 1};" in part


def test_messages_are_found_with_their_advice():
    found = messages()
    assert len(found) > 600
    assert sum(bool(each.advice) for each in found) > len(found) / 2
    (empty,) = (each for each in found if "expected a file, found a folder or a device" in each.cause)
    assert (empty.error, empty.room, empty.advice) == ("BadImage", "sheets", "remove it")
    page = shown(errors_page())
    assert all(f"`{' '.join(each.cause.split())}`" in page for each in found)


def test_generated_pages_are_the_same_twice():
    assert (cli_pages(), recipe_page(), formats_page()) == (cli_pages(), recipe_page(), formats_page())


def test_every_route_and_object_of_the_api_is_listed():
    pytest.importorskip("fastapi", reason="needs the extra [serve]")
    from site_http import http_page, openapi, operations

    document = openapi()
    page = shown(http_page(document))
    found = list(operations(document))
    assert len(found) > 30
    for method, path, operation in found:
        part = page.partition(f"### `{method} {path}` {{")[2].partition("\n### ")[0]
        assert part, f"{method} {path}"
        for parameter in operation.get("parameters", []):
            assert f"| `{parameter['name']}` |" in part, f"{method} {path} {parameter['name']}"
    for name in document["components"]["schemas"]:
        assert f"### {escape(name)} {{" in page, name
    links = set(re.findall(r"\(#(object-[\w-]+)\)", page))
    assert links <= set(re.findall(r"\{#(object-[\w-]+)\}", page))


def test_text_is_shown_as_it_is():
    assert escape("a_b *c* `x|y` <d> [e]") == r"a\_b \*c\* `x|y` &lt;d&gt; \[e\]"
    assert code("a|b<c>") == "<code>a&#124;b&lt;c&gt;</code>"
    assert html.unescape(code("`*_[]{}\\")) == "<code>`*_[]{}\\</code>"
    assert table(("a",), []) == ""


def test_cells_of_a_table_know_their_column():
    head = '<table>\n<thead>\n<tr>\n<th>key</th>\n<th>in <code>a</code> "b"</th>\n</tr>\n</thead>\n<tbody>'
    rows = '\n<tr>\n<td><code>x</code></td>\n<td style="text-align: left;"></td>\n</tr>\n'
    shown = titled_cells(f"<p>a</p>{head}{rows}</tbody>\n</table><td>")
    assert shown.startswith(f"<p>a</p>{head}\n<tr>\n")
    assert '<td data-title="key"><code>x</code></td>' in shown
    assert '<td data-title="in a &quot;b&quot;" style="text-align: left;"></td>' in shown
    assert shown.endswith("<td>")  # outside a table


def test_values_are_read_from_a_schema():
    assert values_of({"type": "integer", "minimum": 1, "maximum": 5}) == "integer ≥ 1, ≤ 5"
    assert values_of({"anyOf": [{"type": "number"}, {"const": "study"}]}) == "number or <code>study</code>"
    assert (
        values_of({"type": "array", "items": {"enum": ["a", "b"]}})
        == "list of <code>a</code>, <code>b</code>"
    )


def test_comments_and_reasons_are_read_from_the_source(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        "class A:\n    # above\n    # both\n    x: int = 1\n    y: int = f(\n        2\n    )  # behind\n"
    )
    assert dict(comments_of(module)) == {("A", "x"): "above both", ("A", "y"): "behind"}
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('a = "x # y"  # why a\n[part]\n# why b\nb = 2\n')
    assert dict(reasons_of(recipe)) == {("", "a"): ('"x # y"', "why a"), ("part", "b"): ("2", "why b")}


@pytest.mark.parametrize(
    ("source", "page", "text", "expected"),
    [
        ("docs/ledger.md", "ledger.md", "[a](../README.md)", "[a](project/index.md)"),
        ("docs/security.md", "security.md", "[a](../SECURITY.md#b)", "[a](project/security.md#b)"),
        ("docs/scale.md", "scale.md", "[kube](../deploy/kuberay.yaml)", "kube"),
        ("docs/results/real.md", "results/real.md", "[a](../adapt.md)", "[a](../adapt.md)"),
        ("docs/adapt.md", "adapt.md", "[a](results/real.md#adapted)", "[a](results/real.md#adapted)"),
        ("CONTRIBUTING.md", "project/contributing.md", "[a](docs/results.md)", "[a](../results.md)"),
        ("docs/a.md", "a.md", "[a](https://docs.ray.io) [b](#c)", "[a](https://docs.ray.io) [b](#c)"),
        ("docs/a.md", "a.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
        ("docs/a.md", "a.md", "<!-- a -->\n| b |", "<!-- a -->\n\n| b |"),
        ("docs/a.md", "a.md", "text\n- one\nmore\n- two", "text\n\n- one\nmore\n- two"),
    ],
)
def test_markdown_is_right_on_the_site(source, page, text, expected):
    assert site_markdown(text, source=source, page=page, root=ROOT) == expected
