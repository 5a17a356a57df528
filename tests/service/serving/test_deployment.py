"""Files of a deployment: they parse, and the commands in them exist with these options."""

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fastapi", reason="needs the extra [serve]")

import typer

from steelsight.cli import app
from steelsight.service.settings.load import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[3]
VERBS = typer.main.get_command(app).commands


def check_command(words):
    """A verb with its arguments and options, as the command line takes them."""
    verb = VERBS[words[0]]
    verb.make_parser(typer.Context(verb)).parse_args(list(words[1:]))
    options = [word for word in words[1:] if word.startswith("--")]
    known = {flag for parameter in verb.params for flag in parameter.opts}
    assert set(options) <= known, words


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_compose_runs_the_service_a_station_and_postgresql(compose):
    assert set(compose["services"]) == {"database", "service", "station"}
    for name in ("service", "station"):
        service = compose["services"][name]
        check_command(service["command"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["secrets"] == ["database_password"]
    assert compose["services"]["service"]["command"][0] == "serve"
    assert compose["services"]["station"]["command"][0] == "line"
    assert compose["services"]["database"]["healthcheck"]["test"][1] == "pg_isready"


def test_compose_sets_only_settings_that_exist(compose):
    names = compose["services"]["service"]["environment"]
    for name in names:
        assert name.startswith(PREFIX)
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
    address = names[f"{PREFIX}LEDGER"]
    assert address in compose["services"]["station"]["command"]
    path = address.partition("password_file=")[2]
    assert Path(path).name in compose["secrets"]
    assert compose["services"]["database"]["environment"]["POSTGRES_PASSWORD_FILE"] == path


def test_compose_names_only_volumes_that_exist(compose):
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"]


def instructions():
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_slim_without_torch_and_not_run_by_root():
    found = instructions()
    assert [words[1].split()[0] for words in found if words[0] == "FROM"] == ["python:3.12-slim"] * 2
    assert ["USER", "10001:10001"] in found
    installed = next(words[1] for words in found if words[0] == "RUN" and "pip install" in words[1])
    assert '".[${EXTRAS}]"' in installed
    assert ["ARG", "EXTRAS=serve"] in found
    assert "-c constraints.txt" in installed
    copied = " ".join(words[1] for words in found if words[0] == "COPY" and "--from" not in words[1]).split()
    for name in copied:
        assert (ROOT / name).exists()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name.removeprefix("./") for name in copied} - {"", "src"} <= kept | {"src"}


def test_the_image_runs_a_verb_that_exists_and_asks_for_its_health():
    found = {words[0]: words[1] for words in instructions()}
    assert json.loads(found["ENTRYPOINT"]) == ["steelsight"]
    check_command(json.loads(found["CMD"]))
    (command,) = [words[1] for words in instructions() if words[0] == "HEALTHCHECK"]
    program = json.loads(command[command.index("[") :])
    compile(program[-1], "healthcheck", "exec")
    assert f":{found['EXPOSE']}/health/ready" in program[-1]


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    parser.optionxform = str
    parser.read(ROOT / "deploy" / "steelsight.service")
    return parser


def test_the_unit_runs_a_verb_that_exists_as_a_user_with_few_rights(unit):
    words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(words[0]).name == "steelsight"
    check_command(words[1:])
    assert unit["Service"]["User"] == "steelsight"
    assert unit["Service"]["CapabilityBoundingSet"] == ""
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectKernelModules", "ProtectHome"):
        assert unit["Service"][name] == "yes"
    assert unit["Service"]["ProtectSystem"] == "strict"


def test_the_settings_of_the_unit_are_settings(unit, monkeypatch):
    for name in list(__import__("os").environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    found = load_settings(config=ROOT / "deploy" / "steelsight.toml")
    assert found.watch is not None
    state = Path("/var/lib") / unit["Service"]["StateDirectory"]
    assert Path(found.ledger).is_relative_to(state)
    assert str(unit["Service"]["WorkingDirectory"]) == str(state)
