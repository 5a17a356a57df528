"""The spool keeps entries over crashes and tells what was altered."""

import hashlib
import sys

import pytest
from tests.ledger.conftest import judged

from steelsight.errors import BadOutput, LedgerAltered
from steelsight.service.station.spool import Spool


@pytest.fixture
def opened():
    """Open a spool after the one before was closed, as by the next process."""
    made = []

    def call(path):
        for each in made:
            each.close()
        made.append(Spool(path))
        return made[-1]

    yield call
    for each in made:
        each.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_a_spool_is_used_by_one_process(opened, tmp_path):
    opened(tmp_path / "spool")
    with pytest.raises(BadOutput, match="another process uses this spool; give each station its own --spool"):
        Spool(tmp_path / "spool")


@pytest.fixture
def filled(opened):
    def call(path, count=3):
        spool = opened(path)
        for number in range(count):
            spool.append(judged(number, number + 1))
        return spool

    return call


def test_entries_come_back_in_their_order(opened, filled, tmp_path):
    filled(tmp_path / "spool").close()
    again = opened(tmp_path / "spool")
    assert again.waiting == 3
    assert list(again.read()) == [judged(number, number + 1) for number in range(3)]
    again.append(judged(3, 4))
    assert len(list(again.read())) == 4
    again.clear()
    assert list(again.read()) == []
    again.append(judged(4, 5))
    assert list(opened(tmp_path / "spool").read()) == [judged(4, 5)]


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9, 0.999])
def test_a_line_that_a_crash_cut_off_is_dropped(opened, filled, tmp_path, kept):
    path = tmp_path / "spool"
    filled(path, 2).close()
    whole = path.read_bytes()
    filled(path, 0).append(judged(2, 3))
    last = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + last[: int(len(last) * kept)])
    again = opened(path)
    assert again.waiting == 2
    assert again.dropped == int(len(last) * kept)
    again.append(judged(2, 3))
    assert list(opened(path).read()) == [judged(number, number + 1) for number in range(3)]


@pytest.mark.parametrize("change", ["byte", "dropped", "swapped"])
def test_an_altered_line_is_refused(opened, filled, tmp_path, change):
    path = tmp_path / "spool"
    filled(path).close()
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "byte":
        lines[1] = lines[1].replace(b"scratch", b"scrbtch")
    elif change == "dropped":
        del lines[1]
    else:
        lines[0], lines[1] = lines[1], lines[0]
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerAltered, match="was altered; move the file away"):
        opened(path)


def test_a_full_disk_adds_nothing(opened, filled, tmp_path, monkeypatch):
    spool = filled(tmp_path / "spool", 1)
    monkeypatch.setattr(
        "os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(BadOutput, match="No space left on device"):
        spool.append(judged(1, 2))
    monkeypatch.undo()
    assert len(list(spool.read())) == 1
    spool.append(judged(1, 2))
    assert len(list(opened(tmp_path / "spool").read())) == 2


def test_a_folder_that_cannot_be_made_is_refused(opened, filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOutput, match="free space on the disk of --spool"):
        opened(tmp_path / "file" / "spool")


@pytest.mark.parametrize("payload", [b"{", b"[{}]", b'[{"kind":"sheet"}]', b"[]", b"\xff", b"[" * 99_999])
def test_a_line_without_entries_is_refused_although_its_hash_is_right(tmp_path, payload):
    path = tmp_path / "spool"
    path.write_bytes(hashlib.sha256(b" " + payload).hexdigest().encode() + b" " + payload + b"\n")
    spool = Spool(path)
    with pytest.raises(LedgerAltered, match="holds no entries"):
        list(spool.read())
    spool.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
def test_a_disk_that_is_full_in_the_middle_of_a_line_loses_nothing(opened, filled, tmp_path):
    """The system writes a part of the line: it is cut off, and closing the file writes nothing more."""
    import resource

    spool = filled(tmp_path / "spool")
    size = (tmp_path / "spool").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        with pytest.raises(BadOutput, match="free space on the disk of --spool"):
            spool.append(judged(3, 4))
        assert (tmp_path / "spool").stat().st_size == size
        spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    again = opened(tmp_path / "spool")
    assert (again.waiting, again.dropped) == (3, 0)
    assert list(again.read()) == [judged(number, number + 1) for number in range(3)]
