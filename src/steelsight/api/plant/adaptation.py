"""`ss.adapt` and `ss.gate_bundle`: a bundle made one's own, and its release gate. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import DataLike, as_data, path_or_none
from steelsight.api.plant.settings import AdaptSettings, BundleGateSettings
from steelsight.api.progress import Progress, stage_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.adaptation.gate.options import BundleGateOptions
    from steelsight.adaptation.options import AdaptOptions
    from steelsight.api.results.adaptation import AdaptResult, BundleGateResult

__all__ = ["adapt", "gate_bundle"]


@checked
def adapt(
    bundle: Path | str,
    data: DataLike,
    out: Path | str,
    *,
    progress: Progress = None,
    options: AdaptOptions | None = None,
    **settings: Unpack[AdaptSettings],
) -> AdaptResult:
    """Fit a new head to labelled sheets, and write a bundle with it where it is better.

    bundle  BUNDLE folder, or fast or accurate
    out     BUNDLE folder; must not exist, or be a bundle, which is replaced
    raises  AdaptationRefused where the new head is not better; ParityRefused where the written graph does not
            answer as the head; BadData for labels that cannot be used; BadRecipe, BadBundle, BadOutput
    """
    from steelsight.adaptation.options import AdaptOptions
    from steelsight.adaptation.run import adapt_bundle
    from steelsight.api.results.adaptation import AdaptResult

    where = as_data(data)
    chosen = choose(AdaptOptions, options, settings, where.options)
    say = stage_progress(progress)
    done = adapt_bundle(Path(bundle), where.path, Path(out), chosen, note=lambda stage: say(str(stage)))
    return AdaptResult(done)


@checked
def gate_bundle(
    bundle: Path | str,
    data: DataLike,
    policy: Path | str,
    *,
    out: Path | str | None = None,
    progress: Progress = None,
    options: BundleGateOptions | None = None,
    **settings: Unpack[BundleGateSettings],
) -> BundleGateResult:
    """Test a bundle by a policy, and write the record into its card, whether it passed or not.

    data    sheets that the bundle has not learnt from
    policy  TOML file
    out     BUNDLE folder for a copy with the record; None = the bundle itself
    raises  BadRecipe for an invalid policy; BadData, BadBundle, BadOutput
    """
    from steelsight.adaptation.gate.options import BundleGateOptions
    from steelsight.adaptation.gate.run import gate_bundle as decide
    from steelsight.api.results.adaptation import BundleGateResult

    where, folder = as_data(data), path_or_none(out)
    chosen = choose(BundleGateOptions, options, settings, where.options)
    shown = stage_progress(progress)
    return BundleGateResult(decide(Path(bundle), where.path, Path(policy), chosen, out=folder, say=shown))
