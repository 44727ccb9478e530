"""What PostgreSQL's own books say of a table or view. A note of ours beside them could disagree."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

__all__ = ["grants_on", "kind_of", "table_behind"]

Connection = psycopg.Connection[Any]


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
