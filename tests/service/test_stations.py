"""Several stations, each a process, write into one ledger: a killed one goes on, the others do not notice."""

import json
import os
import subprocess
import sys
import time

import pytest
from sqlalchemy import func, select
from tests.service.conftest import draw_sheet
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.proof.verify import verify
from steelsight.runtime.bundle.default import default_bundle

STATIONS = ("line-1", "line-2", "line-3")
FIRST, SHEETS = 40, 60  # sheets of each station at the kill, and in the end
PROGRAM = "from steelsight.cli import main; main()"
LONG_S = 120.0  # whatever takes longer has failed


class Stations:
    """The same `steelsight line` under several names: one folder and one spool each, one ledger for all."""

    def __init__(self, bundle, address, folder):
        self.bundle, self.address, self.folder = bundle, address, folder
        self.running = {}

    def draw(self, first, last):
        """The same files in the folder of every station: a sheet is known by its station and its name."""
        for number in range(first, last):
            for name in STATIONS:
                draw_sheet(self.folder / name / f"s{number:03}.jpg", number)

    def words(self, name, *more):
        words = ["line", self.bundle, self.folder / name, "--ledger", self.address, "--station", name]
        words += ["--spool", self.folder / f"{name}.spool", "--images", self.folder / "images", "--json"]
        return [str(each) for each in (*words, *more)]

    def start(self, name):
        command = [sys.executable, "-c", PROGRAM, *self.words(name)]
        self.running[name] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.communicate()

    def end(self, name):
        """End one as its service does; what it counted, and what it told."""
        process = self.running.pop(name)
        process.terminate()
        output, errors = process.communicate(timeout=LONG_S)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1]), errors


@pytest.fixture
def shared(cluster):
    """A ledger in PostgreSQL, and its address."""
    address = cluster.create("stations")
    ledger = create_ledger(address)
    yield ledger, address
    ledger.close()
    cluster.drop("stations")


@pytest.fixture
def stations(shared, tmp_path):
    made = Stations(default_bundle(), shared[1], tmp_path)
    yield made
    for name in list(made.running):
        made.kill(name)


def counts(ledger):
    """How many sheets each station has on record."""
    table = schema.sheets.c
    with ledger.read() as connection:
        query = select(table.station, func.count()).group_by(table.station)
        return dict.fromkeys(STATIONS, 0) | dict(connection.execute(query).all())


def wait_for(ledger, holds):
    until = time.monotonic() + LONG_S
    while not holds(found := counts(ledger)):
        assert time.monotonic() < until, found
        time.sleep(0.005)


def holders(ledger):
    """Who holds the name of each station: a token that a process keeps while it runs."""
    with ledger.read() as connection:
        table = schema.writers.c
        return dict(connection.execute(select(table.name, table.holder)).all())


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_station_goes_on_and_the_others_are_not_disturbed(shared, stations):
    ledger, _ = shared
    stations.draw(0, FIRST)
    for name in STATIONS:
        stations.start(name)
    wait_for(ledger, lambda found: found["line-2"] > 0)
    stations.kill("line-2")
    cut = counts(ledger)["line-2"]
    wait_for(ledger, lambda found: all(found.values()))
    before = holders(ledger)
    others = ("line-1", "line-3")
    stations.draw(FIRST, SHEETS)
    wait_for(ledger, lambda found: all(found[name] == SHEETS for name in others))
    assert counts(ledger)["line-2"] == cut < FIRST

    stations.start("line-2")
    wait_for(ledger, lambda found: found["line-2"] == SHEETS)
    after = holders(ledger)
    assert after["line-2"] != before["line-2"]
    assert [after[name] for name in others] == [before[name] for name in others]
    ended = {name: stations.end(name) for name in STATIONS}
    for name in others:
        found, told = ended[name]
        assert (found["written"], found["spooled"], found["repeated"]) == (SHEETS, 0, 0), told
        assert "away" not in told
    assert ended["line-2"][0]["sheets"] == SHEETS - cut

    table = schema.sheets.c
    with ledger.read() as connection:
        seen = connection.execute(select(table.station, table.item, table.sheet)).all()
        judged = connection.execute(select(schema.verdicts.c.sheet)).scalars().all()
    files = [(name, f"s{number:03}.jpg") for name in STATIONS for number in range(SHEETS)]
    assert sorted((station, item.partition("@")[0]) for station, item, _ in seen) == files
    assert sorted(judged) == sorted(sheet for *_, sheet in seen)
    assert verify(ledger).clean


def test_a_name_in_use_is_refused_in_one_line_and_its_station_goes_on(shared, stations, tmp_path):
    ledger, address = shared
    stations.draw(0, 2)
    stations.start("line-1")
    wait_for(ledger, lambda found: found["line-1"] == 2)
    done = CliRunner().invoke(app, stations.words("line-1", "--idle", 0, "--spool", tmp_path / "other.spool"))
    assert done.exit_code == 1, done.output
    (line,) = done.stderr.splitlines()
    assert "writes as 'line-1' and may do so for" in line
    assert f"steelsight ledger release {address} line-1" in line
    stations.draw(2, 4)
    wait_for(ledger, lambda found: found["line-1"] == 4)
    assert stations.end("line-1")[0]["written"] == 4
    assert verify(ledger).clean
