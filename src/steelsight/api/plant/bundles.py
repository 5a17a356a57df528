"""`ss.verify_bundle`, `ss.show_bundle` and `ss.sign_bundle`: whether a bundle may be used here. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from steelsight.api.data import path_or_none
from steelsight.api.progress import Progress, stage_progress
from steelsight.argument_types import checked
from steelsight.errors import BadRecipe, GateRefused

if TYPE_CHECKING:
    from steelsight.api.results.opened_bundles import BundleContent, BundleVerification
    from steelsight.runtime.bundle.open import Bundle

__all__ = ["show_bundle", "sign_bundle", "verify_bundle"]


@checked
def verify_bundle(
    bundle: Path | str,
    *,
    key: Path | str | None = None,
    policy: Path | str | None = None,
    threads: int = 0,
    progress: Progress = None,
) -> BundleVerification:
    """Check every file of a bundle, and compare every installed engine on the probe sheets that it carries.

    An engine that does not answer as the source model is no error: `passed` of the result says so, and
    `check` of it raises.

    bundle   BUNDLE folder, or fast or accurate
    key      public key (PEM, Ed25519) whose signature it must carry; None = signed or not
    policy   policy file by which its card must say that it passed the release gate; None = gated or not
    threads  0 = the engine's own choice
    raises   BadBundle for a damaged bundle, another signature or none, or without probe sheets; GateRefused
             where the gate was not passed; BadInput for a key that cannot be used
    """
    from steelsight.api.results.opened_bundles import BundleVerification
    from steelsight.runtime.bundle.open import open_bundle
    from steelsight.runtime.parity.verify import verify_bundle as compare_engines

    say = stage_progress(progress, "note")
    folder, public = Path(bundle), path_or_none(key)
    opened = open_bundle(folder)
    if public is not None:
        from steelsight.runtime.bundle.signature import check_signature

        check_signature(opened, public)
        say(f"signature: by the key {public}")
    for note in opened.notes:
        say(f"note: {note}")
    if policy is not None:
        _check_gate(opened, Path(policy), say)
    return BundleVerification(folder, public, tuple(compare_engines(opened, threads=threads)))


@checked
def show_bundle(bundle: Path | str) -> BundleContent:
    """Check that a bundle is complete, and read its card.

    bundle  BUNDLE folder, or fast or accurate
    raises  BadBundle
    """
    from steelsight.api.results.opened_bundles import BundleContent
    from steelsight.runtime.bundle.open import open_bundle

    return BundleContent(open_bundle(Path(bundle)))


@checked
def sign_bundle(bundle: Path | str, key: Path | str, password: bytes | None = None) -> Path:
    """Check that a bundle is complete, and sign it; `verify_bundle` shows later that nothing changed.

    key       private key (PEM, Ed25519), as OpenSSL writes it
    password  of an encrypted key; None = it is not encrypted
    returns   the file of the signature
    raises    BadBundle, BadOutput; BadInput for a key that cannot be used
    """
    from steelsight.runtime.bundle.signature import sign_bundle as sign

    return sign(Path(bundle), Path(key), password)


def _check_gate(opened: Bundle, policy: Path, say: Callable[[str], None]) -> None:
    """Tell the record of the gate.

    raises  GateRefused where there is none that was passed; BadRecipe for a policy that cannot be read
    """
    from steelsight.api.results.opened_bundles import describe_gate
    from steelsight.runtime.bundle.gate import verify_gate

    try:
        check = verify_gate(opened, policy=policy)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadRecipe(f"--policy {policy}: expected a TOML file; {reason}; check the path") from error
    if not check.passed or check.record is None:
        raise GateRefused(f"{opened.folder}: {'; '.join(map(str, check.reasons))}")
    say(f"gate: {describe_gate(check.record)}")
