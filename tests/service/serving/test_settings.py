"""Settings: flags, environment, TOML, defaults, in this order; unknown ones are refused; all are documented.

python tests/service/serving/test_settings.py    writes the table of docs/service.md
"""

import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

pytest.importorskip("pydantic_settings", reason="needs the extra [serve]")

from steelsight.errors import BadInput
from steelsight.service.api.hosts import is_loopback, known_hosts
from steelsight.service.serving.opening import complete_settings
from steelsight.service.settings.load import PREFIX, Settings, load_settings

PAGE = Path(__file__).parents[3] / "docs" / "service.md"
START, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def shown_default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def table() -> str:
    """The table of all settings."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        choices = [str(each) for each in get_args(field.annotation) if isinstance(each, str)]
        words = str(field.description).replace("|", "\\|")
        if str(get_origin(field.annotation)) == "typing.Literal" and choices:
            words += f" One of {', '.join(f'`{each}`' for each in choices)}."
        rows.append(f"| `{name}` | {shown_default(field.default)} | {words} |")
    return "\n".join(rows) + "\n"


def test_the_page_lists_every_setting():
    text = PAGE.read_text(encoding="utf-8")
    found = text.partition(START)[2].partition(END)[0]
    assert found.strip() == table().strip(), f"run `python {Path(__file__).relative_to(PAGE.parents[1])}`"


def test_every_setting_is_described():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "steelsight.toml"
    path.write_text('port = 1111\nhost = "0.0.0.0"\nstation = "from-file"\nallowed_hosts = ["a.b", "c.d"]\n')
    return path


def test_flags_come_before_the_environment_before_the_file_before_defaults(config, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}PORT", "2222")
    monkeypatch.setenv(f"{PREFIX}STATION", "from-environment")
    found = load_settings({"port": 3333, "writer": None}, config=config)
    assert (found.port, found.station, found.host) == (3333, "from-environment", "0.0.0.0")
    assert (found.writer, found.allowed_hosts) == ("console", ("a.b", "c.d"))


@pytest.mark.parametrize("value", ["a.b,c.d", " a.b , c.d,", "a.b,,c.d"])
def test_names_are_joined_by_commas(monkeypatch, value):
    monkeypatch.setenv(f"{PREFIX}ALLOWED_HOSTS", value)
    assert load_settings().allowed_hosts == ("a.b", "c.d")
    assert load_settings({"allowed_hosts": "x"}).allowed_hosts == ("x",)


def test_an_unknown_setting_is_refused_by_its_name_wherever_it_is(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="options: unknown setting 'prot'; expected one of ledger, bundle"):
        load_settings({"prot": 1})
    path = tmp_path / "a.toml"
    path.write_text("prot = 1\n")
    with pytest.raises(BadInput, match=r"a\.toml: unknown setting 'prot'"):
        load_settings(config=path)
    monkeypatch.setenv(f"{PREFIX}PROT", "1")
    with pytest.raises(BadInput, match=rf"environment \({PREFIX}…\): unknown setting 'prot'"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "x"}, r"setting port: .*integer.*got 'x'; set it by --port or --set port=…, "),
        ({"port": 70_000}, "setting port: .*65535"),
        ({"queue": 0}, "setting queue"),
        ({"most_body_mb": "inf"}, "setting most_body_mb"),
        ({"most_megapixels": 68}, "setting most_megapixels"),
        ({"engine": "tensorrt"}, "setting engine: .*'openvino' or 'onnxruntime'"),
        ({"trusted_proxies": "proxy"}, "setting trusted_proxies: .*'proxy' does not appear to be"),
        ({"public_url": "steel.example"}, "setting public_url: .*https://steel.example"),
        ({"public_url": "https://steel.example/sub"}, "expected an address without a path"),
    ],
)
def test_an_impossible_value_is_refused_with_its_name(given, words):
    with pytest.raises(BadInput, match=words):
        load_settings(given)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"port = ", "expected settings in TOML"),
        (b"\xff", "expected settings in TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, words):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        load_settings(config=path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "steel.example", "127.0.0.1.evil.example"])
def test_open_needs_a_loopback_address(host):
    with pytest.raises(BadInput, match="--open: admits everybody without login, so it needs a loopback"):
        complete_settings(Settings(open=True, host=host))
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_open_is_admitted_on_loopback(host):
    assert complete_settings(Settings(open=True, host=host)).open


def test_places_follow_from_the_ledger(tmp_path):
    found = complete_settings(Settings(ledger=str(tmp_path / "a.db"), station="s"))
    assert found.images == str(tmp_path / "a.images")
    assert found.spool == tmp_path / "s.spool"
    own = complete_settings(Settings(ledger=str(tmp_path / "a.db"), images="x", spool=Path("y")))
    assert (own.images, own.spool) == ("x", Path("y"))
    assert complete_settings(Settings(ledger="postgresql://a@b/c")).images is None


def test_a_folder_to_watch_must_be_one(tmp_path):
    with pytest.raises(BadInput, match=r"--watch .*expected a folder that the camera writes into"):
        complete_settings(Settings(watch=tmp_path / "nothing"))


def test_hosts_are_those_of_the_machine_and_of_the_settings():
    assert known_hosts(Settings()) == ["127.0.0.1", "[::1]", "localhost"]
    wide = known_hosts(Settings(host="0.0.0.0", allowed_hosts=("a.b",), public_url="https://c.d"))
    assert {"a.b", "c.d"} < set(wide)
    assert "0.0.0.0" not in wide
    assert "192.168.1.2" in known_hosts(Settings(host="192.168.1.2"))


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2], encoding="utf-8")
    assert re.search(r"\| `port` \|", PAGE.read_text(encoding="utf-8"))
