"""Sessions and what they used as rows, and back.

Owns the encoding; what a use adds up to is `accounting`'s. Runs inside somebody else's transaction.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import asdict
from typing import Any, cast

from lifecycle.journal.accounting import Account, Counted
from lifecycle.journal.records import to_json
from lifecycle.journal.sealing import Damage, Value, put, rows
from lifecycle.ports import MessageUsage, SessionRecord
from states.vocabulary import RunId, SessionId, SessionType


def put_session(connection: sqlite3.Connection, record: SessionRecord) -> None:
    """Keep a new session; of one that is known, only the baseline is new."""
    known = rows(connection, "sessions", "WHERE session_id = ?", (record.session_id,))
    baseline = zlib.compress(to_json(record.baseline).encode())
    if known:
        put(connection, "sessions", *known[0][:-1], baseline)
        return
    put(
        connection, "sessions", record.session_id, record.run_id, record.number, record.iteration,
        str(record.type), to_json(record.prompt), baseline,
    )  # fmt: skip
    account = Account(record.prompted, record.turns, record.cost_usd)
    put_account(connection, record.session_id, record.run_id, account)


def session(connection: sqlite3.Connection, session_id: SessionId) -> SessionRecord | None:
    """What is kept of a session, with its account as it stands."""
    known = rows(connection, "sessions", "WHERE session_id = ?", (session_id,))
    if not known:
        return None
    _, run_id, number, iteration, kind, prompt, baseline = cast("tuple[Any, ...]", known[0])
    found = account(connection, session_id)
    if found is None:
        raise Damage(f"session {session_id!r} has no account")
    _, used = found
    return SessionRecord(
        session_id=session_id,
        run_id=run_id,
        number=number,
        iteration=iteration,
        type=SessionType(kind),
        prompt=json.loads(prompt),
        baseline=json.loads(zlib.decompress(baseline)),
        prompted=used.is_prompted,
        turns=used.turns,
        cost_usd=used.cost_usd,
    )


def account(connection: sqlite3.Connection, session_id: SessionId) -> tuple[RunId, Account] | None:
    """A session's run and account."""
    for row in rows(connection, "accounts", "WHERE session_id = ?", (session_id,)):
        return RunId(cast("str", row[1])), _account(row)
    return None


def accounts(connection: sqlite3.Connection, run_id: RunId) -> list[Account]:
    """The accounts of a run's sessions."""
    return [_account(row) for row in rows(connection, "accounts", "WHERE run_id = ?", (run_id,))]


def put_account(connection: sqlite3.Connection, session_id: SessionId, run_id: RunId, used: Account) -> None:
    """Keep a session's account as it stands now."""
    put(
        connection, "accounts", session_id, run_id, int(used.is_prompted), used.turns, float(used.cost_usd),
        float(used.leg_start_usd), float(used.leg_usd),
    )  # fmt: skip


def _account(row: tuple[Value, ...]) -> Account:
    is_prompted, turns, cost_usd, leg_start_usd, leg_usd = cast("tuple[Any, ...]", row[2:])
    return Account(bool(is_prompted), turns, cost_usd, leg_start_usd, leg_usd)


def counted(connection: sqlite3.Connection, session_id: SessionId, message_id: str) -> Counted | None:
    """What is known of a message."""
    found = rows(connection, "usage", "WHERE session_id = ? AND message_id = ?", (session_id, message_id))
    for _, _, usage, charged_usd, is_turn in cast("Any", found):
        return Counted(MessageUsage(**json.loads(usage)), charged_usd, bool(is_turn))
    return None


def put_counted(connection: sqlite3.Connection, session_id: SessionId, message: Counted) -> None:
    """Keep a message's newest report."""
    usage = to_json(asdict(message.usage))
    put(
        connection, "usage", session_id, message.usage.message_id, usage, float(message.charged_usd),
        int(message.is_turn),
    )  # fmt: skip
