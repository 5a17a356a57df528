"""What goes wrong with an object store, each as one line that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from steelsight.names import on_one_line

__all__ = ["ObjectFault", "answer_fault", "is_broken_body", "translate_faults"]

_CREDENTIALS: Final = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this computer"
)
_REFUSED: Final = f"the store refused the credentials; renew them: {_CREDENTIALS}"
_DENIED: Final = "permission denied; allow these credentials s3:GetObject, and s3:ListBucket of its bucket"
_BUSY: Final = "the store is too busy or failed, again after retries; run the same command again later"
_GONE: Final = "no such object; it was removed, or the key is wrong"
# Codes of answers; a HEAD request has no body, so its code is the number of its status.
_ANSWERS: Final[dict[str, tuple[int, str]]] = {
    "NoSuchBucket": (
        errno.ENOENT,
        "there is no such bucket; check its name, AWS_ENDPOINT_URL and the region",
    ),
    **dict.fromkeys(("NoSuchKey", "NoSuchVersion", "NotFound", "404"), (errno.ENOENT, _GONE)),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "Forbidden", "403"), (errno.EACCES, _DENIED)),
    **dict.fromkeys(
        (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "InvalidToken",
            "TokenRefreshRequired",
        ),
        (errno.EPERM, _REFUSED),
    ),
    "RequestTimeTooSkewed": (
        errno.EPERM,
        "the clocks of this computer and of the store differ; set this one",
    ),
    "InvalidObjectState": (errno.EACCES, "it lies in cold storage; restore it before the scan"),
    **dict.fromkeys(("PreconditionFailed", "412"), (errno.ESTALE, "it was changed since it was listed")),
    "ConditionalRequestConflict": (errno.EAGAIN, "it is being written by another process"),
    **dict.fromkeys(("NotImplemented", "501"), (errno.ENOSYS, "the store does not know this request")),
    **dict.fromkeys(
        ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504"),
        (errno.EBUSY, _BUSY),
    ),
}


class ObjectFault(OSError):
    """An object, or its store, that cannot be used now; `strerror` says why and what to do."""

    @property
    def concerns_store(self) -> bool:
        """Whether every other object of the store has the same fault."""
        return self.errno in (errno.EHOSTUNREACH, errno.EPERM)

    @property
    def may_pass(self) -> bool:
        """Whether trying again later may help without any change to bucket, key or permissions."""
        return self.errno in (errno.EHOSTUNREACH, errno.EPERM, errno.EBUSY, errno.ETIMEDOUT, errno.EIO)


@contextmanager
def translate_faults() -> Iterator[None]:
    """Raise the errors of the SDK as ObjectFault."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise _fault(error) from error


def is_broken_body(error: BaseException) -> bool:
    """Whether an answer broke off, stalled or arrived altered, which the SDK does not retry by itself."""
    from botocore import exceptions as sdk

    kinds = (
        sdk.IncompleteReadError,
        sdk.ResponseStreamingError,
        sdk.FlexibleChecksumError,
        sdk.ReadTimeoutError,
        sdk.ConnectionClosedError,
    )
    return isinstance(error, kinds)


def _fault(error: Any) -> ObjectFault:
    from botocore import exceptions as sdk

    if isinstance(error, sdk.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        return answer_fault(code, str(error), status)
    no_credentials = (
        sdk.NoCredentialsError,
        sdk.PartialCredentialsError,
        sdk.CredentialRetrievalError,
        sdk.TokenRetrievalError,
        sdk.UnauthorizedSSOTokenError,
        sdk.SSOTokenLoadError,
        sdk.ProfileNotFound,
        sdk.ConfigParseError,
    )
    if isinstance(error, no_credentials):
        return ObjectFault(errno.EPERM, f"no credentials ({_line(error)}); {_CREDENTIALS}")
    if is_broken_body(error):
        words = f"the answer stalled or broke off, again after retries ({_line(error)}); scan it again later"
        return ObjectFault(errno.ETIMEDOUT, words)
    if isinstance(error, sdk.HTTPClientError | sdk.ConnectionError):
        words = f"the store cannot be reached ({_line(error)}); check the network and AWS_ENDPOINT_URL"
        return ObjectFault(errno.EHOSTUNREACH, words)
    return ObjectFault(errno.EIO, f"the SDK refused it ({_line(error)})")


def answer_fault(code: str, message: str, status: str = "") -> ObjectFault:
    """The fault of an answer.

    code, message, status  as the store gave them; the status is that of HTTP
    """
    number, words = _ANSWERS.get(code) or _ANSWERS.get(status) or (errno.EIO, "")
    if not words:
        return ObjectFault(number, f"the store answered {code or status} ({_line(message)})")
    return ObjectFault(number, words if code.isdigit() else f"{words} (answer {on_one_line(code)[:60]})")


def _line(error: BaseException | str) -> str:
    return on_one_line(" ".join(str(error).split()))[:160]
