"""An S3 store by its SDK: pages of keys, whole objects and ranges, each object in one state.

Credentials, region and endpoint come by the SDK's usual ways (environment, profile, role of the computer);
none is an option here, and none is written anywhere.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from steelsight.errors import BadSource
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault, is_broken_body, translate_faults

__all__ = ["ListedObject", "ObjectStatus", "ObjectStore", "ReadObject", "StoreLimits"]

CHUNK: Final = 2**20  # bytes read at once, after which what came is kept


@dataclass(frozen=True)
class StoreLimits:
    """How long a request may take, and how often it is tried."""

    connect_s: float = 10.0
    read_s: float = 20.0  # without a byte
    attempts: int = 6  # of a request; and of an answer that breaks off
    pause_s: float = 0.5  # at most before the second attempt, doubled for each further one
    most_pause_s: float = 20.0


class ObjectStatus(NamedTuple):
    """What tells whether an object is the same as before."""

    size: int  # bytes
    etag: str

    @property
    def stamp(self) -> str:
        """As the plan holds it for an archive."""
        return f"{self.size}:{self.etag}"


class ListedObject(NamedTuple):
    """An object of a listing."""

    key: str
    size: int  # bytes
    etag: str


class ReadObject(NamedTuple):
    """The bytes of an object, and the state that they are of."""

    content: bytes
    etag: str


class ObjectStore:
    """Lists and reads objects; connects at the first call. Threads may share it."""

    def __init__(self, limits: StoreLimits | None = None, client: Any = None) -> None:
        self._limits = limits or StoreLimits()
        self._client = client
        self._lock = threading.Lock()

    def iterate_keys(self, address: ObjectAddress) -> Iterator[tuple[str, int]]:
        """(key, bytes) of every object whose key begins as the address, page by page, in the store's order.

        raises  ObjectFault; BadSource where the SDK is not installed
        """
        return ((entry.key, entry.size) for entry in self.iterate_entries(address))

    def iterate_entries(self, address: ObjectAddress) -> Iterator[ListedObject]:
        """As `iterate_keys`, with the ETag of each object."""
        client = self._connect()
        with translate_faults():
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=address.bucket, Prefix=address.key
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield ListedObject(entry["Key"], entry["Size"], entry.get("ETag", ""))

    def holds(self, address: ObjectAddress) -> bool:
        """Whether an object's key begins as the address; raises as `iterate_keys`."""
        client = self._connect()
        with translate_faults():
            page = client.list_objects_v2(Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
        return bool(page.get("Contents"))

    def status(self, address: ObjectAddress) -> ObjectStatus:
        """Size and ETag of an object; raises ObjectFault."""
        client = self._connect()
        with translate_faults():
            reply = client.head_object(Bucket=address.bucket, Key=address.key)
        return ObjectStatus(reply["ContentLength"], reply.get("ETag", ""))

    def read(self, address: ObjectAddress, *, most_bytes: int) -> bytes:
        """All bytes of an object, of one state; one that is replaced meanwhile is read once more.

        raises  ObjectFault: EFBIG beyond `most_bytes`, ESTALE where it is replaced again
        """
        return self.read_state(address, most_bytes=most_bytes).content

    def read_state(self, address: ObjectAddress, *, most_bytes: int) -> ReadObject:
        """As `read`, with the ETag of that state."""
        try:
            return self._fetch(address, 0, None, "", most_bytes)
        except ObjectFault as error:
            if error.errno != errno.ESTALE:
                raise
        return self._fetch(address, 0, None, "", most_bytes)

    def read_range(self, address: ObjectAddress, start: int, length: int, etag: str) -> bytes:
        """Some bytes of the state of an object that has this ETag; fewer only at its end.

        start, length   in bytes; length > 0
        raises          ObjectFault: ESTALE where the object has another state now
        """
        return self._fetch(address, start, start + length, etag, length).content

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _fetch(
        self, address: ObjectAddress, start: int, stop: int | None, etag: str, most_bytes: int
    ) -> ReadObject:
        """Bytes from `start` to `stop`; goes on where an answer broke off, if the object is the same."""
        client = self._connect()
        pieces = _Pieces(address, start, stop, etag, most_bytes)
        with translate_faults():
            for attempt in range(1, self._limits.attempts + 1):
                try:
                    pieces.receive(client)
                except Exception as error:
                    broken = pieces.in_body and is_broken_body(error)  # the SDK has tried all else again
                    if attempt == self._limits.attempts or not broken:
                        raise
                    self._pause(attempt)
                else:
                    break
        return ReadObject(b"".join(pieces.content), pieces.etag)

    def _pause(self, attempt: int) -> None:
        """Wait for a time drawn at random, so that many readers do not come back at once."""
        most = min(self._limits.most_pause_s, self._limits.pause_s * 2 ** (attempt - 1))
        time.sleep(most * secrets.randbelow(1001) / 1000)

    def _connect(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _make_client(self._limits)
            return self._client


@dataclass
class _Pieces:
    """The bytes of one range that came so far."""

    address: ObjectAddress
    start: int
    stop: int | None  # None = to the end
    etag: str  # "" = of any state; then of the first that came
    most_bytes: int

    def __post_init__(self) -> None:
        self.content: list[bytes] = []
        self.length = 0
        self.in_body = False  # whether an answer came, and its body is read

    def receive(self, client: Any) -> None:
        """Request what is missing, and keep what comes of it."""
        begin = self.start + self.length
        if self.stop is not None and begin >= self.stop:
            return
        wanted: dict[str, str] = {"IfMatch": self.etag} if self.etag else {}
        if begin or self.stop is not None:
            wanted["Range"] = f"bytes={begin}-{'' if self.stop is None else self.stop - 1}"
        self.in_body = False
        reply = client.get_object(Bucket=self.address.bucket, Key=self.address.key, **wanted)
        body, size, self.in_body = reply["Body"], reply["ContentLength"], True
        try:
            if self.etag and reply.get("ETag", self.etag) != self.etag:  # it ignores the condition
                raise ObjectFault(errno.ESTALE, "it was changed since it was listed")
            self._place(begin, reply, "Range" in wanted)
            if self.length + size > self.most_bytes:
                raise ObjectFault(errno.EFBIG, f"{size} bytes, more than {self.most_bytes}")
            self.etag = self.etag or reply.get("ETag", "")
            while piece := body.read(CHUNK):
                self.content.append(piece)
                self.length += len(piece)
        finally:
            body.close()
            if not self.etag:  # nothing tells whether the rest would be of the same state
                complete = self.length == size
                self.content, self.length = (self.content, self.length) if complete else ([], 0)

    def _place(self, begin: int, reply: Mapping[str, Any], ranged: bool) -> None:
        """Check where the bytes of an answer belong; one without its range is the whole object."""
        came = str(reply.get("ContentRange", ""))
        if not ranged or came.startswith(f"bytes {begin}-"):
            return
        if came or self.start or self.stop is not None:
            raise ObjectFault(errno.EIO, "the store does not answer with the range that was asked for")
        self.content, self.length = [], 0


def _make_client(limits: StoreLimits) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError as error:
        raise BadSource(
            "s3://: object storage needs boto3, which is not installed; pip install 'steelsight[s3]'"
        ) from error
    retries: dict[str, Any] = {} if "AWS_RETRY_MODE" in os.environ else {"mode": "standard"}
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = limits.attempts
    config = Config(
        connect_timeout=limits.connect_s,
        read_timeout=limits.read_s,
        retries=retries,
        max_pool_connections=32,
        user_agent_extra="steelsight",
    )
    with translate_faults():
        return boto3.session.Session().client("s3", config=config)
