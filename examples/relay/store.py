"""The deliveries that were asked for, kept in SQLite so that they outlive the process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiosqlite

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0
)
"""


class State(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    url: str
    payload: Any
    state: State
    attempts: int


class Store:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def add(self, url: str, payload: Any) -> Delivery:
        (delivery,) = await self._query(
            "INSERT INTO deliveries (url, payload) VALUES (?, ?) RETURNING *",
            url,
            json.dumps(payload),
        )
        return delivery

    async def get(self, id: int) -> Delivery | None:
        found = await self._query("SELECT * FROM deliveries WHERE id = ?", id)
        return found[0] if found else None

    async def pending(self) -> list[Delivery]:
        """All that is neither delivered nor given up, oldest first."""
        return await self._query(
            "SELECT * FROM deliveries WHERE state = ? ORDER BY id", State.PENDING
        )

    async def count_attempt(self, id: int) -> None:
        await self._query("UPDATE deliveries SET attempts = attempts + 1 WHERE id = ?", id)

    async def finish(self, id: int, state: State) -> None:
        await self._query("UPDATE deliveries SET state = ? WHERE id = ?", state, id)

    async def _query(self, sql: str, *parameters: object) -> list[Delivery]:
        rows = await self._connection.execute_fetchall(sql, parameters)
        return [
            Delivery(id, url, json.loads(payload), State(state), attempts)
            for id, url, payload, state, attempts in rows
        ]


@asynccontextmanager
async def open_store(path: str | Path) -> AsyncIterator[Store]:
    # Autocommit: every statement here is a transaction of its own.
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute(SCHEMA)
        yield Store(connection)
