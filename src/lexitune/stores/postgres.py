"""PostgreSQL: connecting, its errors in our words, and what its own books say of a table or view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Composed, Identifier

from lexitune.errors import StageFailed, UsageError
from lexitune.registry import masked

__all__ = ["connect", "grants_on", "kind_of", "knows_vectors", "read_target", "speaking", "table_behind"]

Connection = psycopg.Connection[Any]
CONNECT_S = 10

AWAY = ("08", "57P", "53300", "40")  # connection lost, server stopping or starting, connections all taken, a deadlock


def read_target(target: str) -> str:
    """An address in libpq's form, looked at.

    Raises:
        UsageError: It cannot be read, or holds a password: specs are written into the workspace's files.
    """
    shown, why = masked(target), ""
    try:
        given = conninfo_to_dict(target)
    except psycopg.Error as error:
        # libpq quotes what it cannot read, which may be a piece of a password.
        given, why = {}, _first_line(error) if shown == target else "libpq cannot read it"
    if not set(str(given.get("port") or "")) <= set("0123456789,"):
        why = "its port is no number"  # or a password after which @HOST is missing, which libpq would tell everybody
    if why:
        raise UsageError("E2004", f"'{shown}' is no address: {why}", fix="pgvector:postgresql://HOST/DATABASE")
    if given.keys() & {"password", "sslpassword"}:
        raise UsageError("E2017", "the address of the store holds a password", fix="put it in PGPASSWORD or ~/.pgpass")
    return target


def connect(target: str) -> Connection:
    """A connection that commits by itself, and knows vectors where the database does.

    A server that does not answer is given ten seconds, unless the address says otherwise: libpq would wait for minutes.
    """
    patience = conninfo_to_dict(target).get("connect_timeout", CONNECT_S)
    db = psycopg.connect(target, autocommit=True, application_name="lexitune", connect_timeout=patience)
    if knows_vectors(db):
        register_vector(db)
    return db


def knows_vectors(db: Connection) -> bool:
    """Whether the database has the extension."""
    return db.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone() is not None


@contextmanager
def speaking() -> Iterator[None]:
    """PostgreSQL's errors in our words.

    Raises:
        StageFailed: The server is not there, goes away, or refuses.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
        if state.startswith(AWAY):
            raise StageFailed(
                "E1302",
                f"PostgreSQL does not answer: {_first_line(error)}",
                fix="start it, or correct the address; what was written stays, and the same command goes on",
            ) from error
        allow = "see that the user may read and make tables, views and the extension vector in this schema"
        mend = "mend what it names; what was written stays, and the same command goes on"
        raise StageFailed(
            "E1303",
            f"PostgreSQL refuses: {_first_line(error)}",
            fix=allow if isinstance(error, psycopg.errors.InsufficientPrivilege) else mend,
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def kind_of(db: Connection, schema: str, name: str) -> str | None:
    """The kind of a relation: "r" is a table, "v" a view; None: there is none of that name."""
    row = db.execute(
        "SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    return row[0] if row else None


def table_behind(db: Connection, schema: str, view: str) -> str | None:
    """The table that a view reads; None: there is no such view, or it reads none."""
    row = db.execute(
        "SELECT DISTINCT t.relname FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace "
        "JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.objid = w.oid "
        "JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r' "
        "WHERE n.nspname = %s AND v.relname = %s AND v.relkind = 'v' AND d.deptype = 'n'",
        (schema, view),
    ).fetchone()
    return row[0] if row else None


def grants_on(db: Connection, schema: str, view: str) -> list[Composed]:
    """What others may do with a view, as the statements that allow it again."""
    rows = db.execute(
        "SELECT a.privilege_type, CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a "
        "WHERE n.nspname = %s AND c.relname = %s AND a.grantee <> c.relowner",
        (schema, view),
    )
    return [
        SQL("GRANT {} ON {} TO {}").format(
            SQL(privilege), Identifier(schema, view), SQL("PUBLIC") if role is None else Identifier(role)
        )
        for privilege, role in rows
    ]
