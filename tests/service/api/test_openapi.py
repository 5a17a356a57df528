"""The OpenAPI document: every operation is described; generated requests are answered so, and with no 5xx."""

from itertools import product

import pytest
from tests.ledger.conftest import judged
from tests.service.api.conftest import jpeg, serving

pytest.importorskip("schemathesis")

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.app import build_app
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.settings.load import Settings

# Schemathesis draws some values from `random` itself.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEFT_OUT = r"/stream$"  # an answer without end
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def served(packaged, tmp_path_factory):
    """The application with some sheets, open to everybody, and the port it listens on."""
    folder = tmp_path_factory.mktemp("openapi")
    ledger = create_ledger(str(folder / "ledger.db"))
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 20))
    console = SharedWriter(ledger, "console")
    built = build_app(Service(ledger, console, None, Bundles([("packaged", packaged)]), Settings(open=True)))
    with serving(built) as port:
        httpx.post(
            f"http://127.0.0.1:{port}/api/v1/inspect?record=true",
            content=jpeg(),
            headers={"Content-Type": "image/jpeg"},
        ).raise_for_status()
        yield built, port
    console.close()
    ledger.close()


def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_operation_is_described(served):
    app, _ = served
    found = operations(app.openapi())
    assert len(found) > 15
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    for place, operation in found.items():
        assert operation.get("description"), place
        assert operation["tags"], place
        assert any(code[0] in "23" for code in operation["responses"]), place
        for parameter in operation.get("parameters", ()):
            assert "schema" in parameter, (place, parameter["name"])
        good = next(value for code, value in operation["responses"].items() if code[0] in "23")
        assert good["description"], place


def test_every_error_is_described_as_the_envelope(served):
    app, _ = served
    document = app.openapi()
    for place, operation in operations(document).items():
        schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, place
        invalid = operation["responses"].get("422")
        if invalid is not None:
            schema = invalid["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, place


def run_cases(app, port, cases):
    """As many generated requests, spread over all operations; the number that were sent."""
    load_all_checks()
    address = f"http://127.0.0.1:{port}"
    schema = schemathesis.openapi.from_dict(app.openapi()).exclude(path_regex=LEFT_OUT)
    found = [result.ok() for result in schema.get_all_operations()]
    sent = 0
    for operation, mode in product(found, schemathesis.GenerationMode):

        @settings(
            max_examples=max(1, cases // len(found) // 2),
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            nonlocal sent
            sent += 1
            answer = case.call(base_url=address)
            case.validate_response(answer, checks=CHECKS)

        try:
            check()
        except Unsatisfiable:  # an operation that takes nothing cannot be asked wrongly
            assert mode is schemathesis.GenerationMode.NEGATIVE
            assert not operation.definition.raw.get("requestBody")
    return sent


def test_generated_requests_are_answered_as_described(served):
    assert run_cases(*served, 300) >= 200


@pytest.mark.long
def test_many_generated_requests_are_answered_as_described(served, record_attack):
    sent = run_cases(*served, 4000)
    assert sent >= 2000
    record_attack(
        "service", "requests generated from the OpenAPI document", sent, "no 5xx; answers as described"
    )
