"""The rows that the migrations left: what each test begins with."""

from __future__ import annotations

import psycopg
from psycopg import sql

# Every table of the project, without those of extensions.
TABLES_SQL = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY 1, 2
"""


class Rows:
    """The rows of a database as they are now, and the way back to them.

    Tables that are empty now are emptied again; of the others (what is declared, content types, what a data migration
    wrote) a copy is kept, which is put back where something has changed it. Sequences go on.
    """

    def __init__(self, admin: psycopg.Connection) -> None:
        """`admin` is a superuser's connection in autocommit: no policy hides a row from it."""
        self.admin = admin
        tables = [sql.Identifier(*name) for name in admin.execute(TABLES_SQL)]
        filled = self._filled(tables)
        self.empty = [table for table in tables if table not in filled]
        self.kept = [(table, self._copy(table)) for table in filled]

    def restore(self) -> None:
        """Bring the rows back. It waits for whoever still holds a lock on a table."""
        with self.admin.transaction():
            if filled := self._filled(self.empty):
                self.admin.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(filled)))
            changed = [(table, rows) for table, rows in self.kept if self._copy(table) != rows]
            if changed:
                # Neither foreign keys nor triggers: each table gets exactly its own rows.
                self.admin.execute("SET LOCAL session_replication_role = replica")
            for table, rows in changed:
                self.admin.execute(sql.SQL("DELETE FROM ONLY {}").format(table))
                with self.admin.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
                    copy.write(rows)

    def _filled(self, tables: list[sql.Identifier]) -> list[sql.Identifier]:
        """Those of `tables` that have rows."""
        if not tables:
            return []
        exist = [sql.SQL("EXISTS (SELECT FROM ONLY {})").format(table) for table in tables]
        row = self.admin.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(exist))).fetchone()
        return [table for table, has_rows in zip(tables, row or (), strict=True) if has_rows]

    def _copy(self, table: sql.Identifier) -> bytes:
        with self.admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(table)) as copy:
            return b"".join(map(bytes, copy))
