"""Write objects under a condition, so that no process writes over what another one wrote."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Final

from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault, answer_fault, translate_faults
from steelsight.runtime.scan.objects.store import ObjectStore

__all__ = ["WritableStore"]

REMOVED_AT_ONCE: Final = 1000  # objects, the most that S3 allows


class WritableStore(ObjectStore):
    """An object store that is written to as well; threads may share it."""

    def age(self, address: ObjectAddress) -> tuple[str, float | None]:
        """An object's ETag, and the seconds since it was written by the clock of the store.

        None where the store does not tell the time.
        """
        client = self._connect()
        with translate_faults():
            reply = client.head_object(Bucket=address.bucket, Key=address.key)
        date = reply["ResponseMetadata"]["HTTPHeaders"].get("date")
        written = reply.get("LastModified")
        if not date or written is None:
            return reply.get("ETag", ""), None
        return reply.get("ETag", ""), (parsedate_to_datetime(date) - written).total_seconds()

    def write(self, address: ObjectAddress, content: bytes | Path, *, replaces: str = "") -> str:
        """Write an object where the store has none, or one state of it; never over another.

        content   bytes, or a file
        replaces  ETag of the state that it replaces; "" = there is no such object
        returns   the ETag of what is there now
        raises    ObjectFault: ESTALE where the store has another state, ENOENT where it is gone
        """
        attempt = 1
        while True:
            try:
                return self._write_once(address, content, replaces)
            except ObjectFault as error:
                if error.errno == errno.ESTALE and (etag := self._written(address, content)):
                    return etag  # by an attempt whose answer was lost
                if error.errno != errno.EAGAIN or attempt == self._limits.attempts:
                    raise
            self._pause(attempt)
            attempt += 1

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove objects, a thousand a request; those that are gone do not matter. Raises ObjectFault."""
        client = self._connect()
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + REMOVED_AT_ONCE]]
            with translate_faults():
                reply = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            for refused in reply.get("Errors", ()):
                raise answer_fault(str(refused.get("Code", "")), str(refused.get("Message", "")))

    def _write_once(self, address: ObjectAddress, content: bytes | Path, replaces: str) -> str:
        condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        client = self._connect()
        with translate_faults(), _opened(content) as body:
            reply = client.put_object(Bucket=address.bucket, Key=address.key, Body=body, **condition)
        return str(reply.get("ETag", ""))

    def _written(self, address: ObjectAddress, content: bytes | Path) -> str | None:
        """The ETag of an object that holds just these bytes; None = it holds others, or is gone."""
        wanted = content if isinstance(content, bytes) else content.read_bytes()
        try:
            found = self.read_state(address, most_bytes=len(wanted))
        except ObjectFault as error:
            if error.errno in (errno.EFBIG, errno.ENOENT):
                return None
            raise
        return found.etag if found.content == wanted else None


@contextmanager
def _opened(content: bytes | Path) -> Iterator[bytes | BinaryIO]:
    """What the SDK sends, from its start: bytes, or an open file."""
    if isinstance(content, bytes):
        yield content
    else:
        with content.open("rb") as file:
            yield file
