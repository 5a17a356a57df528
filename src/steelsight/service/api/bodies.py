"""The image in a request's body: raw bytes of an image file, or one part of multipart/form-data."""

from __future__ import annotations

from typing import Any, Final

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from steelsight.service.problem import Problem

__all__ = ["IMAGE_BODY", "read_image_body"]

PART: Final = "image"
_BINARY: Final = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
IMAGE_BODY: Final[dict[str, Any]] = {  # of the OpenAPI document
    "requestBody": {
        "required": True,
        "description": "An image file: its raw bytes, or one part `image` of a form. Its first bytes decide "
        "what it is, whatever Content-Type says.",
        "content": {
            "application/octet-stream": _BINARY,
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [PART],
                    "additionalProperties": False,
                    "properties": {PART: {"type": "string", "format": "binary", "minLength": 1}},
                },
                "encoding": {PART: {"contentType": "image/jpeg, image/png, application/octet-stream"}},
            },
        },
    }
}


async def read_image_body(request: Request) -> bytes:
    """The bytes of the image file.

    raises  Problem: 415 for another Content-Type, 400 bad_form, 422 empty_body
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        content = await _of_form(request)
    elif kind == "application/octet-stream" or kind.startswith("image/"):
        content = await _raw(request)
    else:
        raise Problem(
            415,
            "unsupported_media_type",
            f"expected image/…, application/octet-stream or multipart/form-data, got {kind!r:.80}",
            "name what the body is in the header Content-Type",
        )
    if not content:
        raise Problem(422, "empty_body", "expected the bytes of an image file, got none", "send the file")
    return content


async def _raw(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
    return bytes(content)


async def _of_form(request: Request) -> bytes:
    try:
        async with request.form(max_files=1, max_fields=1) as form:
            parts = form.multi_items()
            if len(parts) != 1 or parts[0][0] != PART or not isinstance(parts[0][1], UploadFile):
                named = ", ".join(repr(name)[:40] for name, _ in parts) or "none"
                raise _bad_form(f"expected one file part {PART!r}, got {named}")
            return await parts[0][1].read()
    except (HTTPException, MultiPartException, FormParserError, UnicodeError, LookupError) as error:
        words = getattr(error, "detail", None) or getattr(error, "message", None) or str(error)
        raise _bad_form(f"the form cannot be read ({words!s:.200})") from error


def _bad_form(message: str) -> Problem:
    return Problem(
        400, "bad_form", message, f"send multipart/form-data with one part named {PART}, or the raw bytes"
    )
