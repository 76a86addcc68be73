"""Many rows in one statement.

Python's ``sqlite3`` gives up the interpreter lock around every step of a statement and has to win it back
after each. Beside a busy event loop that costs more than the work itself, so that ``executemany`` is out of
the question for messages: what concerns many rows is one statement, in one of a few sizes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar

__all__ = ["Totals", "blocks", "delete_where_in", "insert", "select_keys", "within"]

_T = TypeVar("_T")

_SIZES = (512, 64, 8, 1)
"""Rows of a statement: few texts, so that all stay prepared, and few statements for any number of rows.

With 11 columns the largest has 5121 of the 32766 parameters that SQLite allows since 3.32
(https://sqlite.org/limits.html#max_variable_number)."""

Totals = tuple[int, int]
"""How many rows, and the bytes of their bodies."""


def blocks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The items in order, cut into pieces of the sizes that statements have."""
    start = 0
    for size in _SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


def insert(
    connection: sqlite3.Connection, table: str, columns: str, first: int, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows that have the first column in common.

    Args:
        table, columns: our own words, never a value from outside.
        first: value of the first column of every row.
        rows: values of the other columns.
    """
    for block in blocks(rows):
        connection.execute(
            _insertion(table, columns, len(block)), (first, *chain.from_iterable(block))
        ).close()


@cache
def _insertion(table: str, columns: str, rows: int) -> str:
    row = "(?1" + ", ?" * columns.count(",") + ")"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)}"  # noqa: S608


def delete_where_in(
    connection: sqlite3.Connection, table: str, column: str, relation: int, values: Iterable[int]
) -> Totals:
    """Delete a contact's rows whose ``column`` is among ``values``.

    Returns:
        What was deleted.
    """
    count, size = 0, 0
    for block in blocks(sorted(set(values))):
        if block[-1] - block[0] == len(block) - 1:
            which, parameters = f"{column} BETWEEN ? AND ?", [block[0], block[-1], relation]
        else:
            which, parameters = f"{column} IN ({', '.join('?' * len(block))})", [*block, relation]
        # A position alone finds its row; the plus keeps SQLite from searching by the relation instead.
        owner = "+relation" if column == "position" else "relation"
        where = f"FROM {table} WHERE {which} AND {owner} = ?"
        found, found_bytes = connection.execute(
            f"SELECT count(*), ifnull(sum(length(body)), 0) {where}", parameters
        ).fetchone()
        if found:
            connection.execute(f"DELETE {where}", parameters).close()
            count, size = count + found, size + found_bytes
    return count, size


def select_keys(
    connection: sqlite3.Connection, table: str, columns: str, relation: int, keys: Sequence[tuple[str, str]]
) -> list[tuple[Any, ...]]:
    """A contact's rows that have one of these services and keys.

    Args:
        keys: service and key of each; no key is empty.
    """
    found: list[tuple[Any, ...]] = []
    for block in blocks(keys):
        found += connection.execute(
            _key_search(table, columns, len(block)), (*chain.from_iterable(block), relation)
        ).fetchall()
    return found


@cache
def _key_search(table: str, columns: str, keys: int) -> str:
    # A cross join is carried out as written (https://sqlite.org/lang_select.html): a look-up per key.
    wanted = ", ".join(["(?, ?)"] * keys)
    return (
        f"WITH wanted (service, key) AS (VALUES {wanted}) SELECT {columns} FROM wanted "  # noqa: S608
        f"CROSS JOIN {table} AS kept INDEXED BY {table}_key "
        "ON kept.relation = ? AND kept.service = wanted.service AND kept.key = wanted.key AND kept.key != ''"
    )


def within(found: Iterable[tuple[Any, ...]], body: int, most_bytes: int) -> Iterator[tuple[Any, ...]]:
    """The first rows whose bodies fit together, but at least one row.

    Args:
        body: which column the body is.
    """
    size = 0
    for place, row in enumerate(found):
        size += len(row[body])
        if place and size > most_bytes:
            return
        yield row
