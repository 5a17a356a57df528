"""A DATA folder while it is being recognised: what it lists and how its folders read, each found once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from steelsight.sheets.formats.class_folders import FolderPlan, plan_folders
from steelsight.sheets.formats.listing import Listing, list_images
from steelsight.sheets.formats.split_lists import SplitLine, find_split_lists
from steelsight.sheets.options import DataOptions

__all__ = ["DataFolder"]


@dataclass(frozen=True)
class DataFolder:
    """A folder and what the caller says of it."""

    root: Path
    options: DataOptions

    @cached_property
    def listing(self) -> Listing:
        """Its files, without lists of a split."""
        return self._all_files.without(self.split_lists)

    @cached_property
    def split_lists(self) -> dict[str, tuple[SplitLine, ...]]:
        """The lines of files that name the images of a split's parts, by file."""
        files = self._all_files
        return find_split_lists(self.root, files.others, files.images)

    @cached_property
    def _all_files(self) -> Listing:
        return list_images(self.root)

    @cached_property
    def plan(self) -> FolderPlan:
        """Its images, masks, classes and parts; raises BadData where they leave a choice."""
        return plan_folders(self.root, self.listing, masks=self.options.masks)

    def plan_as(self, *, split: bool) -> FolderPlan:
        """As `plan`, with the first folders told to be parts of a split, or classes."""
        return plan_folders(self.root, self.listing, masks=self.options.masks, split=split)
