"""Nothing on the disk goes unmentioned: images, faults, and what is passed over with its reason."""

from __future__ import annotations

from pathlib import Path

from steelsight.sheets.formats.listing import list_images, unused_files


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_system_files_and_folders_of_ours_are_passed_over(tmp_path: Path) -> None:
    _touch(tmp_path, "good/a.jpg", "good/Thumbs.db", "good/.DS_Store", ".git/x.png", "@eaDir/a.jpg/S.jpg")
    _touch(
        tmp_path, "$RECYCLE.BIN/b.jpg", ".Trash-1000/files/c.jpg", "run/card.json", "run/model.safetensors"
    )
    _touch(
        tmp_path, "run/figures/f.png", "bundle/card.json", "bundle/model.onnx", "scan/scan.json", "scan/p.png"
    )
    _touch(
        tmp_path, "look/data.html", "look/data.json", "look/examples.png", "README.md", "LICENSE", "coils.csv"
    )
    listing = list_images(tmp_path)
    assert listing.images == ("good/a.jpg",)
    assert listing.rejections == ()
    assert {each.id: each.reason for each in listing.passed_over} == {
        "$RECYCLE.BIN/": "recycle bin",
        ".Trash-1000/": "recycle bin",
        ".git/": "hidden",
        "@eaDir/": "thumbnails of a network store",
        "bundle/": "a BUNDLE folder of Steelsight",
        "look/": "a report of Steelsight",
        "run/": "a RUN folder of Steelsight",
        "scan/": "results of a scan",
        "good/": "1 file(s) passed over: thumbnails of Windows",
        "LICENSE": "documentation",
        "README.md": "documentation",
        "coils.csv": "a table; --groups column:NAME or file:PATH:COLUMN uses one",
    } | {"good/": listing.passed_over[[e.id for e in listing.passed_over].index("good/") + 1].reason}
    assert sum(each.id == "good/" for each in listing.passed_over) == 2


def test_the_root_itself_may_be_a_folder_of_ours(tmp_path: Path) -> None:
    _touch(tmp_path, "card.json", "model.safetensors", "good/a.jpg")
    assert list_images(tmp_path).images == ("good/a.jpg",)


def test_files_that_nothing_read_are_faults_unless_used() -> None:
    faults, documents = unused_files(["a/x.xml", "a/y.xml", "notes.md"], used=["a/x.xml"])
    assert [(each.id, each.reason[:28]) for each in faults] == [("a/", "1 file(s) ending in .xml: no")]
    assert [each.id for each in documents] == ["notes.md"]
