"""The rows that the migrations left: what each test begins with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

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

# A row that is inserted or updated carries the id of the transaction that did it (PostgreSQL 5.6, "System Columns"): so
# whatever is written to a table, one of these two numbers becomes another.
MARK_SQL = "(SELECT count(*) || ' ' || coalesce(sum(xmin::text::bigint), 0) FROM ONLY {})"
EMPTY_MARK = "0 0"

# For a few rows DELETE takes a tenth of the time of TRUNCATE, which makes new files for the table and its indexes. But
# what DELETE leaves is read with each look at the table.
MAX_DEAD_ROWS = 500

Table = tuple[str, str]  # schema and name
Copy = tuple[Table, bytes]


class Rows:
    """The rows of a database as they are now, and the way back to them.

    Tables that are empty now are emptied again; of the others (what is declared, content types, what a data migration
    wrote) a copy is kept, which is put back where something was written. Sequences go on.
    """

    def __init__(self, admin: psycopg.Connection) -> None:
        """`admin` is a superuser's connection in autocommit: no policy hides a row from it."""
        self.admin = admin
        self._tables: list[Table] = admin.execute(TABLES_SQL).fetchall()
        # Written out once: to compose them takes longer than to run them.
        self._lock = sql.SQL("LOCK TABLE {} IN SHARE MODE").format(_listed(self._tables)).as_bytes(admin)
        marks = [sql.SQL(MARK_SQL).format(sql.Identifier(*table)) for table in self._tables]
        self._look = sql.SQL("SELECT {}").format(sql.SQL(", ").join(marks)).as_bytes(admin)
        self._marks = self._marked()
        self._kept = dict(self._copies(table for table, mark in self._marks.items() if mark != EMPTY_MARK))
        self._dead = Counter[Table]()

    def restore(self) -> None:
        """Bring the rows back. It waits for whoever has written and not committed yet."""
        with self.admin.transaction():
            self.admin.execute(self._lock)
            if not (changed := self._changed()):
                return
            self._empty(changed)
            if emptied := self._changed():
                self.put((table, self._kept[table]) for table in emptied)
                self._marks = self._marked()

    def written(self) -> list[Copy]:
        """The rows of the tables that were empty and have rows now."""
        return list(self._copies(table for table in self._changed() if table not in self._kept))

    def put(self, copies: Iterable[Copy]) -> None:
        """Write these rows as they are: no trigger and no key sees them."""
        with self.admin.transaction():
            self.admin.execute("SET LOCAL session_replication_role = replica")
            for table, rows in copies:
                with self.admin.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(*table))) as copy:
                    copy.write(rows)

    def _empty(self, tables: list[Table]) -> None:
        self.admin.execute("SET LOCAL session_replication_role = replica")
        deletes = [sql.SQL("DELETE FROM ONLY {}").format(sql.Identifier(*table)) for table in tables]
        deleted = self.admin.execute(sql.SQL("; ").join(deletes))
        for table in tables:
            self._dead[table] += deleted.rowcount
            deleted.nextset()
        if long := [table for table, dead in self._dead.items() if dead > MAX_DEAD_ROWS]:
            # What refers to them is emptied with them, and is among what has changed from then on.
            self.admin.execute(sql.SQL("TRUNCATE {} CASCADE").format(_listed(long)))
            for table in long:
                del self._dead[table]

    def _changed(self) -> list[Table]:
        return [table for table, mark in self._marked().items() if mark != self._marks[table]]

    def _marked(self) -> dict[Table, str]:
        return dict(zip(self._tables, self.admin.execute(self._look).fetchone() or (), strict=True))

    def _copies(self, tables: Iterable[Table]) -> Iterator[Copy]:
        for table in tables:
            with self.admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))) as copy:
                yield table, b"".join(map(bytes, copy))


def _listed(tables: list[Table]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
