"""Rows that prove themselves: each carries a digest of everything in it, checked whenever it is read.

SQLite notices a broken page, not a changed byte within a value. Owns the digest and the two sealed operations;
refuses to know what the values mean.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import Final

from lifecycle.journal.schema import COLUMNS

__all__ = ["Damage", "Value", "put", "rows", "seal"]

Value = str | int | float | bytes | None

_DIGEST_BYTES: Final = 16


class Damage(Exception):
    """What is there cannot be understood. Within this package; callers get `JournalCorrupt`.

    Attributes:
        problem: what is wrong, with the record's number where there is one.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def seal(table: str, values: Sequence[Value], *, previous: bytes = b"") -> bytes:
    """The digest of a row; with `previous`, the digest of the row before, it is a link of a chain."""
    digest = blake2b(previous, digest_size=_DIGEST_BYTES, person=table.encode()[:16])
    for value in values:
        kind, content = _plain(value)
        digest.update(b"%s%d:" % (kind, len(content)))
        digest.update(content)
    return digest.digest()


def put(connection: sqlite3.Connection, table: str, *values: Value) -> None:
    """Insert a sealed row, or put it in place of the one with its key."""
    connection.execute(_put_sql(table), (*values, seal(table, values)))


def rows(
    connection: sqlite3.Connection, table: str, condition: str = "", parameters: Sequence[Value] = ()
) -> list[tuple[Value, ...]]:
    """The sealed rows of a table.

    Raises:
        Damage: a row is not what was put; the others may be.
    """
    names = COLUMNS[table]
    # All at once: a cursor that is left in the middle holds its read transaction open.
    found = connection.execute(f"SELECT {', '.join(names)}, digest FROM {table} {condition}", parameters).fetchall()
    for *values, digest in found:
        if seal(table, values) != digest:
            raise Damage(f"{table} {values[0]!r}: the row does not match its checksum")
    return [row[:-1] for row in found]


@cache
def _put_sql(table: str) -> str:
    names = COLUMNS[table]
    places = ", ".join("?" * (len(names) + 1))
    return f"INSERT OR REPLACE INTO {table} ({', '.join(names)}, digest) VALUES ({places})"


def _plain(value: Value) -> tuple[bytes, bytes]:
    if value is None:
        return b"n", b""
    if isinstance(value, str):
        # What is no UTF-8 (see `text_of`) was not written by us, but has a digest like anything else.
        return b"s", value.encode("utf-8", "surrogateescape")
    if isinstance(value, int):
        return b"i", str(int(value)).encode()
    if isinstance(value, float):
        return b"f", struct.pack(">d", value)
    return b"b", value
