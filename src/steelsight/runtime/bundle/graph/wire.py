"""The wire format of Protocol Buffers, read strictly and written in one form.

Parsers differ in what they do with a field that is given twice, with fields they do not know and with
numbers that are too long. Here each of these is an error, so that the bytes have one meaning only.
`encode` writes fields by ascending number: equal messages give equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["Field", "MalformedMessage", "Message", "RefusedField", "Schema", "decode", "encode"]

Message = dict[str, Any]  # by the fields' names: int, float, str, memoryview, Message, or lists of them
Kind = Literal["int", "float", "text", "bytes"]
_Raw = int | memoryview
_Parts = tuple[list[bytes | memoryview], int]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_LONGEST: Final = 10  # bytes of a number of 64 bits
MAX_VALUES: Final = 2**18  # of one message and those inside it; weights are one value each


class MalformedMessage(ValueError):
    """The bytes are not a message of this schema, or could be read in two ways."""


class RefusedField(ValueError):
    """A field of the format that is refused on purpose; the text gives the reason."""


@dataclass(frozen=True)
class Field:
    """One field of a schema."""

    name: str
    kind: Kind | Schema  # a schema: the field holds a message
    many: bool = False  # may be given more than once; its value is a list
    keep: bool = True  # False: known, but neither read nor written again

    @property
    def wire(self) -> int:
        """The wire type of one value."""
        return _VARINT if self.kind == "int" else _FIXED32 if self.kind == "float" else _BYTES


@dataclass(frozen=True)
class Schema:
    """A kind of message: every field it may hold, by number."""

    name: str
    fields: Mapping[int, Field]
    refused: Mapping[int, str]  # fields of the format that are refused, with the reason


def decode(data: memoryview, schema: Schema) -> Message:
    """Read a message.

    raises  MalformedMessage for a field that is unknown, of another wire type or given twice, for text that
            is not UTF-8, for what is cut off and for more than MAX_VALUES values; RefusedField for a field of
            `schema.refused`
    """
    return _Decoder().message(data, schema)


def encode(message: Message, schema: Schema) -> bytes:
    """Write a message; values that are None or missing are left out, lists in their order."""
    return b"".join(_parts(message, schema)[0])


def _parts(message: Message, schema: Schema) -> _Parts:
    """The pieces of a message and their length; weights are not copied before all is joined."""
    parts: list[bytes | memoryview] = []
    length = 0
    for number in sorted(schema.fields):
        field = schema.fields[number]
        if not field.keep or (value := message.get(field.name)) is None:
            continue
        for each in value if field.many else (value,):
            content, size = _encoded(field, each)
            key = _pack_varint(number << 3 | field.wire)
            head = key if field.wire != _BYTES else key + _pack_varint(size)
            parts += [head, *content]
            length += len(head) + size
    return parts, length


def _encoded(field: Field, value: Any) -> _Parts:
    """A value without its key and length."""
    if isinstance(field.kind, Schema):
        return _parts(value, field.kind)
    content: bytes | memoryview
    if field.kind == "int":
        content = _pack_varint(value & (2**64 - 1))
    elif field.kind == "float":
        content = struct.pack("<f", value)
    else:
        content = value.encode() if field.kind == "text" else value
    return [content], len(content)


class _Decoder:
    """Reads one message and those inside it, within one bound on the number of their values."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def message(self, data: memoryview, schema: Schema) -> Message:
        message: Message = {each.name: [] for each in schema.fields.values() if each.many and each.keep}
        seen: set[int] = set()
        for number, wire, raw in _fields(data):
            self._spend(1)
            field = schema.fields.get(number)
            if field is None:
                if number in schema.refused:
                    raise RefusedField(schema.refused[number])
                raise MalformedMessage(f"a field {number} that {schema.name} does not have")
            if not field.many and number in seen:
                raise MalformedMessage(f"{schema.name}.{field.name} twice")
            seen.add(number)
            if not field.keep:
                self._check_wire(field, wire, schema)
            elif field.many:
                message[field.name] += self._values(field, wire, raw, schema)
            else:
                message[field.name] = self._value(field, wire, raw, schema)
        return message

    def _values(self, field: Field, wire: int, raw: _Raw, schema: Schema) -> list[Any]:
        """The values of one occurrence of a repeated field; numbers may be packed together."""
        if wire != _BYTES or isinstance(raw, int) or field.kind not in ("int", "float"):
            return [self._value(field, wire, raw, schema)]
        if field.kind == "float":
            if len(raw) % 4:
                raise MalformedMessage(f"{schema.name}.{field.name} that is cut off")
            self._spend(len(raw) // 4)
            return list(struct.unpack(f"<{len(raw) // 4}f", raw))
        values, at = [], 0
        while at < len(raw):
            value, at = _varint(raw, at)
            self._spend(1)
            values.append(_signed(value))
        return values

    def _value(self, field: Field, wire: int, raw: _Raw, schema: Schema) -> Any:
        self._check_wire(field, wire, schema)
        if isinstance(raw, int):
            return _signed(raw)
        if field.kind == "float":
            return struct.unpack("<f", raw)[0]
        if isinstance(field.kind, Schema):
            return self.message(raw, field.kind)
        if field.kind == "text":
            try:
                return bytes(raw).decode()
            except UnicodeDecodeError as error:
                raise MalformedMessage(f"{schema.name}.{field.name} that is not text") from error
        return raw

    @staticmethod
    def _check_wire(field: Field, wire: int, schema: Schema) -> None:
        if wire != field.wire:
            raise MalformedMessage(f"{schema.name}.{field.name} of another type")

    def _spend(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise MalformedMessage(f"more than {MAX_VALUES} values")


def _fields(data: memoryview) -> Iterator[tuple[int, int, _Raw]]:
    """Field number, wire type and value of a message's fields."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not 1 <= number < 2**29:
            raise MalformedMessage(f"field number {number}")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise MalformedMessage(f"wire type {wire}")
        if at + length > len(data):
            raise MalformedMessage("a message that is cut off")
        yield number, wire, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _LONGEST, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64 or (byte == 0 and shift):  # too large, or longer than it need be
                break
            return value, at
    raise MalformedMessage("a number that is cut off or too long")


def _pack_varint(value: int) -> bytes:
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
