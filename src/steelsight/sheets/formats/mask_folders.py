"""Folders that hold the masks of images in other folders, and which mask belongs to which image."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from steelsight.sheets.formats.class_names import is_defect_free
from steelsight.sheets.mask_values import MaskLook

__all__ = ["IMAGE_WORDS", "MASK_WORDS", "FolderMatch", "find_mask_folders", "match_folder", "words_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MASK_WORDS: Final = _words(
    """
    mask masks maske masken masque masques groundtruth groundtruths gt gts label labels annotation
    annotations annots seg segs segmentation segmentations segmentationclass segmentationobject segmask
    segmasks target targets truth labelled annotated matte mattes
    """
)
IMAGE_WORDS: Final = _words(
    """
    image images img imgs picture pictures photo photos jpegimages rgb input inputs raw original
    originals src source data dataset scan scans frames
    """
)


@dataclass(frozen=True)
class FolderMatch:
    """The masks of mask folders and their images."""

    pairs: tuple[tuple[str, str], ...]  # image id, mask id
    orphans: tuple[str, ...]  # masks without an image
    unclear: tuple[str, ...]  # messages: masks that fit several images
    candidates: tuple[tuple[str, ...], ...] = ()  # of each unclear mask: the images it fits


def words_of(name: str) -> list[str]:
    """The words of a folder's or file's name, in lower case; `ground_truth` is one word.

    >>> words_of("train_Masks"), words_of("Ground-Truth/crack")
    (['train', 'masks'], ['groundtruth', 'crack'])
    """
    joined = re.sub(r"ground[\W_]*truth", "groundtruth", name.casefold())
    return [word for word in re.split(r"[\W_]+", joined) if word]


def find_mask_folders(
    folders: Mapping[str, Sequence[str]],
    images: Sequence[str],
    look: Callable[[str], MaskLook],
    sample: int,
) -> tuple[set[str], list[str]]:
    """The folders of masks, and what names and values do not settle.

    folders  files by folder, "" for the root itself
    images   every file that is no mask as far as is known
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    for id_ in images:
        by_stem[PurePosixPath(id_).stem.casefold()].append(id_)
    found, unclear = set(), []
    for folder, files in sorted(folders.items()):
        named = bool(set(words_of(folder)) & MASK_WORDS)
        chosen = files if len(files) <= sample else [files[i * len(files) // sample] for i in range(sample)]
        if not named and not any(_has_partner(id_, folder, by_stem) for id_ in chosen):
            continue
        kinds = Counter(look(id_).kind for id_ in chosen)
        if named and kinds["photograph"]:
            unclear.append(
                f"{folder}/ is named as masks and holds photographs; remove it, "
                "or say with --masks none that they are sheets"
            )
        elif named:
            found.add(folder)
        elif kinds["mask"] and not kinds["photograph"] and _fits_images(chosen, folder, by_stem, look):
            last = PurePosixPath(folder).name
            unclear.append(
                f"{folder or '.'}/ looks like masks of images in other folders; say so with "
                f"--masks {last or 'FOLDER'}, or say with --masks none that they are sheets"
            )
    return found, unclear


def _has_partner(id_: str, folder: str, by_stem: Mapping[str, Sequence[str]]) -> bool:
    return any(other.rpartition("/")[0] != folder for other in _same_name(id_, by_stem))


def _same_name(id_: str, by_stem: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Images a mask is named after: its own stem, or its stem up to an affix."""
    stem = PurePosixPath(id_).stem.casefold()
    if stem in by_stem:
        return by_stem[stem]
    for cut in (match.start() for match in reversed(list(re.finditer(r"[ _.\-]", stem)))):
        if stem[:cut] in by_stem and not stem[cut:].strip(" _.-").isdecimal():
            return by_stem[stem[:cut]]
    head = re.match(r"[a-z]+[ _.\-]", stem)
    if head and head[0][:-1] in MASK_WORDS:
        return by_stem.get(stem[head.end() :], ())
    return ()


def _fits_images(
    files: Sequence[str],
    folder: str,
    by_stem: Mapping[str, Sequence[str]],
    look: Callable[[str], MaskLook],
) -> bool:
    """Whether every file has an image of its name and size elsewhere, and that image is a photograph."""
    for id_ in files:
        own = look(id_)
        others = [other for other in _same_name(id_, by_stem) if other.rpartition("/")[0] != folder]
        if not any(look(other).kind == "photograph" and look(other).size == own.size for other in others):
            return False
    return True


def match_folder(masks: Sequence[str], images: Sequence[str]) -> FolderMatch:
    """Each mask's image: of the same name, in the folder most like the mask's own.

    Of several as good, those in folders of defect-free names are left out.
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    for id_ in images:
        by_stem[PurePosixPath(id_).stem.casefold()].append(id_)
    pairs, orphans, unclear, candidates = [], [], [], []
    for mask in masks:
        best = _most_alike(mask, _same_name(mask, by_stem))
        if len(best) > 1:
            best = [id_ for id_ in best if not any(map(is_defect_free, id_.split("/")[:-1]))]
        if len(best) == 1:
            pairs.append((best[0], mask))
        elif best:
            unclear.append(
                f"{mask} fits {best[0]} and {best[1]}; sort the masks into folders as the images are"
            )
            candidates.append(tuple(best))
        else:
            orphans.append(mask)
    return FolderMatch(tuple(pairs), tuple(orphans), tuple(unclear), tuple(candidates))


def _most_alike(mask: str, candidates: Sequence[str]) -> list[str]:
    if not candidates:
        return []
    wanted = Counter(words_of(mask.rpartition("/")[0]))
    scores = {}
    for id_ in candidates:
        words = Counter(words_of(id_.rpartition("/")[0]))
        scores[id_] = (wanted & words).total(), -(words - wanted).total()
    common = max(score[0] for score in scores.values())
    best = [id_ for id_, score in scores.items() if score[0] == common]
    if len(best) > 1 and common:  # sort by what the image's folders have beyond the mask's
        least = max(scores[id_][1] for id_ in best)
        best = [id_ for id_ in best if scores[id_][1] == least]
    return best
