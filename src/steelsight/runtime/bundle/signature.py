"""Sign a bundle with an Ed25519 key, and check whose signature it carries.

What is signed are the bytes of card.json, which hold the hash of every other file. Keys are PEM files as
OpenSSL writes them, and the signature is 64 bytes, so that OpenSSL verifies it too:

    openssl genpkey -algorithm ed25519 -out private.pem
    openssl pkey -in private.pem -pubout -out public.pem
    openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in card.json -sigfile card.json.sig
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelsight.errors import BadBundle, BadInput
from steelsight.files import replace_file
from steelsight.reading import read_regular
from steelsight.runtime.bundle.open import SIGNATURE_FILE, Bundle, open_bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["check_signature", "sign_bundle"]

SIGNATURE_BYTES: Final = 64
MOST_KEY_BYTES: Final = 2**16
_MAKE_KEY: Final = "make one with `openssl genpkey -algorithm ed25519 -out private.pem`"
_MAKE_PUBLIC: Final = "make it with `openssl pkey -in private.pem -pubout -out public.pem`"


def sign_bundle(folder: Path, key: Path, password: bytes | None = None) -> Path:
    """Write the signature of a bundle that opens without an error.

    key       PEM file of an Ed25519 private key
    password  of an encrypted key; None = it is not encrypted
    returns   the file of the signature
    raises    BadBundle, BadOutput; BadInput for a key that cannot be used
    """
    private = _read_private(key, password)
    bundle = open_bundle(folder)
    written = bundle.folder / SIGNATURE_FILE
    replace_file(written, private.sign(bundle.card_text))
    return written


def check_signature(bundle: Bundle, key: Path) -> None:
    """Check that an opened bundle was signed with the private key of this public key, and not changed since.

    key     PEM file of an Ed25519 public key
    raises  BadBundle for no signature or another one; BadInput for a key that cannot be used
    """
    from cryptography.exceptions import InvalidSignature

    public = _read_public(key)
    path = bundle.folder / SIGNATURE_FILE
    if not path.is_file():
        raise BadBundle(f"{path}: expected a signature, found none; sign it with `steelsight bundle sign`")
    try:
        public.verify(_read_small(path, SIGNATURE_BYTES), bundle.card_text)
    except InvalidSignature:
        raise BadBundle(
            f"{path}: not the signature of this bundle by the key {key}; "
            "use the bundle only if you trust where it comes from, or ask its maker to sign it"
        ) from None


def _read_private(key: Path, password: bytes | None) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read_small(key, MOST_KEY_BYTES)
    try:
        found = load_pem_private_key(content, password)
    except TypeError as error:
        raise BadInput(
            f"{key}: {error}; give the password of an encrypted key, and none for another"
        ) from error
    except Exception as error:  # ValueError, UnsupportedAlgorithm
        raise BadInput(f"{key}: expected a private key as PEM ({error}); {_MAKE_KEY}") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise BadInput(f"{key}: expected an Ed25519 key, got {type(found).__name__}; {_MAKE_KEY}")
    return found


def _read_public(key: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read_small(key, MOST_KEY_BYTES)
    try:
        found = load_pem_public_key(content)
    except Exception as error:  # ValueError, UnsupportedAlgorithm
        raise BadInput(f"{key}: expected a public key as PEM ({error}); {_MAKE_PUBLIC}") from error
    if not isinstance(found, Ed25519PublicKey):
        raise BadInput(f"{key}: expected an Ed25519 key, got {type(found).__name__}; {_MAKE_PUBLIC}")
    return found


def _read_small(path: Path, most: int) -> bytes:
    try:
        return read_regular(path, most_bytes=most)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
