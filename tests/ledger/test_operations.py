"""Any order of operations on a ledger leaves one that verifies, reaches its anchors and lost nothing."""

from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.ledger.conftest import judged

from steelsight.errors import LeaseLost
from steelsight.ledger.chain.entries import Event, Review
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.keeping.people import add_person, commit_text, erase_person, read_text
from steelsight.ledger.proof.anchors import make_anchor
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer

WRITERS = st.sampled_from(["line-1", "line-2", "console"])


class Operations(RuleBasedStateMachine):
    """A ledger and what it must hold."""

    new_address = None  # set by the test

    def __init__(self):
        super().__init__()
        self.ledger = create_ledger(self.new_address())
        self.numbers = count()
        self.heads = {}
        self.sheets = 0
        self.texts = {}  # commitment -> person and text
        self.anchors = []
        self.saved = None

    def teardown(self):
        self.ledger.close()

    @rule(writer=WRITERS, many=st.integers(1, 5))
    def judge(self, writer, many):
        start = next(self.numbers) * 10
        with open_writer(self.ledger, writer) as opened:
            links = opened.append(judged(start, start + many, station=writer))
        assert links[0].seq == self.heads.get(writer, 0) + 1
        self.heads[writer] = links[-1].seq
        self.sheets += many

    @rule(writer=WRITERS, name=st.sampled_from(["login", "export"]))
    def note(self, writer, name):
        with open_writer(self.ledger, writer) as opened:
            self.heads[writer] = opened.append([Event(name=name)])[-1].seq

    @precondition(lambda self: self.sheets)
    @rule(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
    def review(self, text):
        with self.ledger.read() as connection:
            seen = connection.execute(schema.sheets.select().limit(1)).one().sheet
        with open_writer(self.ledger, "console") as opened, self.ledger.write() as connection:
            person = add_person(connection, "Ada")
            comment = commit_text(connection, person.id, text)
            answer = Review(sheet=seen, person=person.id, answer="confirmed", comment=comment)
            self.heads["console"] = opened.append_within(connection, [answer])[-1].seq
        self.texts[comment] = (person.id, text)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def forget(self, data):
        comment = data.draw(st.sampled_from(sorted(self.texts)))
        person, _ = self.texts.pop(comment)
        with open_writer(self.ledger, "console") as opened:
            assert erase_person(self.ledger, opened, person) == 1
            self.heads["console"] += 1

    @rule()
    def fence(self):
        with open_writer(self.ledger, "line-1") as first:
            with open_writer(self.ledger, "line-1", force=True):
                pass
            with pytest.raises(LeaseLost):
                first.append([Event(name="login")])

    @rule()
    def rebuild_models(self):
        assert rebuild(self.ledger) == sum(self.heads.values())

    @rule()
    def anchor(self):
        self.anchors.append(make_anchor(self.ledger))

    @rule()
    def save(self):
        path = self.backups / f"{next(self.numbers)}.gz"
        back_up(self.ledger, path)
        self.saved = (path, dict(self.heads), self.sheets, dict(self.texts), list(self.anchors))

    @precondition(lambda self: self.saved)
    @rule()
    def lose_and_restore(self):
        path, heads, sheets, texts, anchors = self.saved
        self.ledger.close()
        self.ledger, found = restore(path, self.new_address(), anchors)
        assert found.clean
        self.heads, self.sheets, self.texts, self.anchors = dict(heads), sheets, dict(texts), list(anchors)
        self.heads["ledger"] = self.heads.get("ledger", 0) + 1

    @invariant()
    def it_verifies(self):
        found = verify(self.ledger, self.anchors)
        assert found.clean, found.findings
        heads = {name: head.seq for name, head in found.heads.items() if head.seq}
        assert heads == self.heads
        with self.ledger.read() as connection:
            assert len(connection.execute(schema.sheets.select()).all()) == self.sheets
            for comment, (_, text) in self.texts.items():
                assert read_text(connection, comment) == text


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 15), ("postgresql", 4)])
def test_operations_in_any_order(kind, examples, tmp_path, request):
    numbers = count()
    if kind == "sqlite":

        def new_address():
            return str(tmp_path / f"ledger{next(numbers)}.db")

    else:
        cluster = request.getfixturevalue("cluster")

        def new_address():
            return cluster.create(f"operations{next(numbers)}")

    Operations.new_address = staticmethod(new_address)
    Operations.backups = tmp_path
    run_state_machine_as_test(
        Operations, settings=settings(max_examples=examples, stateful_step_count=12, deadline=None)
    )
