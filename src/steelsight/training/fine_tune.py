"""The recipe of a training, also of one that starts from a finished run (`train --from`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steelsight.errors import BadRecipe
from steelsight.models.checkpoint import load_checkpoint, start_weights
from steelsight.names import shown_name
from steelsight.training.earlier import learnt_rows, read_earlier
from steelsight.training.options import TrainOptions
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe, with_settings
from steelsight.training.records import read_splits
from steelsight.training.run import load_run
from steelsight.training.start import RunStart, StartedRecipe

__all__ = ["chosen_recipe", "fine_tuning_recipe"]

# Keys that must be as in the run, whose features would otherwise see other images than they learnt from.
_SHARED = ("model.name", "input.height", "input.width", "input.fit", "patches.count")
# Sections that belong to the sheets of a training, not to its network: never taken over from the run.
_OF_THE_DATA = ("labels", "split", "generated")


def chosen_recipe(options: TrainOptions) -> Recipe:
    """The recipe that the options of `train` ask for; raises BadRecipe, BadCheckpoint."""
    if options.start is None:
        return load_recipe(options.recipe or "default", options.settings)
    return fine_tuning_recipe(options.start, options.recipe, options.settings)


def fine_tuning_recipe(
    run: Path, source: str | Path | None = None, settings: Sequence[str] = ()
) -> StartedRecipe:
    """A recipe whose training starts from the weights of a finished run.

    run       RUN folder
    source    a shipped name or a TOML file; None = the run's own recipe, with [labels], [split] and
              [generated] of the default
    settings  as of `load_recipe`
    raises    BadCheckpoint where the run is not finished; BadRecipe where it is a control trained on shuffled
              labels, or the recipe has another network or input than the run
    """
    finished = load_run(run)
    own, card = finished.recipe, finished.card
    if card.shuffled_labels:
        raise BadRecipe(
            f"--from {run}: a control trained on shuffled labels, whose weights mean nothing; "
            "start from a run trained on its own labels"
        )
    if source is None:
        default = load_recipe()
        recipe = own.model_copy(update={name: getattr(default, name) for name in _OF_THE_DATA})
        recipe = with_settings(recipe, settings)
    else:
        recipe = load_recipe(source, settings)
    _refuse_others(run, recipe, own)
    earlier = read_earlier(run) if card.history else ()
    weights = start_weights(*load_checkpoint(run))
    start = RunStart(shown_name(run.resolve().name), card, weights, learnt_rows(read_splits(run), earlier))
    return StartedRecipe(**dict(recipe), start=start)


def _refuse_others(run: Path, recipe: Recipe, own: Recipe) -> None:
    """Raise BadRecipe where the recipe has another network or input than the run."""
    for key in _SHARED:
        section, _, name = key.partition(".")
        asked, had = (getattr(getattr(each, section), name) for each in (recipe, own))
        if asked != had:
            raise BadRecipe(
                f"--from {run}: expected its own network and input, {key} = {had}, got {asked}; leave out "
                f"--recipe, --model and --set {key}, or start from a run with {key} = {asked}"
            )
