"""Opening the parts of a service: what is missing is made, what is something else is left alone."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

pytest.importorskip("fastapi", reason="needs the extra [serve]")


from steelsight.errors import BadBundle, BadInput, BadLedger, LeaseLost
from steelsight.ledger.database import migrate
from steelsight.ledger.database.open import create_ledger, opened
from steelsight.runtime.bundle.default import default_bundle
from steelsight.service.serving.opening import complete_settings, open_or_make_ledger, open_service
from steelsight.service.serving.station import line_words
from steelsight.service.settings.load import Settings


def test_a_missing_ledger_is_made_once_and_opened_again(address):
    said = []
    made = open_or_make_ledger(address, said.append)
    assert said == [f"made the ledger {made.id} in {made.address}"]
    again = open_or_make_ledger(address, said.append)
    assert (again.id, len(said)) == (made.id, 1)
    made.close()
    again.close()


def test_a_database_of_something_else_is_left_as_it_is(cluster):
    address = cluster.create("orders")
    engine = create_engine(address.replace("://", "+pg8000://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    with pytest.raises(BadLedger, match=r"found the table .* of something else"):
        open_or_make_ledger(address, print)
    with engine.begin() as connection:
        query = text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert connection.execute(query).scalar_one() == 1
    engine.dispose()


def test_a_ledger_of_an_earlier_schema_is_not_upgraded_unasked(address, monkeypatch):
    create_ledger(address).close()
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(BadLedger, match="make a backup with `steelsight ledger backup"):
        open_or_make_ledger(address, print)


def settings(tmp_path, **values):
    return complete_settings(Settings(**{"ledger": str(tmp_path / "a.db"), **values}))


def test_the_parts_of_a_service_are_opened(tmp_path):
    service = open_service(settings(tmp_path), lambda _: None)
    assert (tmp_path / "a.images").is_dir()
    assert service.bundles.default.bundle.folder == default_bundle()
    assert service.console.trouble is None
    service.close()
    with opened(str(tmp_path / "a.db")) as ledger:
        assert ledger.id == service.ledger.id


def test_the_names_of_bundles_are_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = settings(tmp_path, bundle=Path("fast"), watch=tmp_path)
    assert named.bundle == default_bundle()
    assert line_words(named)[1] == str(default_bundle())
    with pytest.raises(BadBundle, match=r"or name a bundle of the package: .*fast"):
        open_service(settings(tmp_path, more_bundles=(Path("slow"),)), lambda _: None)


def test_two_services_of_one_name_do_not_write_to_one_ledger(tmp_path):
    first = open_service(settings(tmp_path), lambda _: None)
    with pytest.raises(LeaseLost, match="writes as 'console'"):
        open_service(settings(tmp_path), lambda _: None)
    second = open_service(settings(tmp_path, writer="console 2"), lambda _: None)
    second.close()
    first.close()
    open_service(settings(tmp_path), lambda _: None).close()  # the name was given back


def test_a_bundle_is_opened_once(tmp_path):
    with pytest.raises(BadInput, match="bundles: expected at least one, of different names and model ids"):
        open_service(settings(tmp_path, more_bundles=(default_bundle(),)), lambda _: None)
    assert not (tmp_path / "a.db").exists()
