"""The rows that the migrations left: what each test begins with."""

from __future__ import annotations

from collections import Counter

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

# Until the transaction ends: also the one that PostgreSQL makes of several statements in one message.
REPLICA_SQL = b"SELECT set_config('session_replication_role', 'replica', true)"

# The columns that a statement may write.
COLUMNS_SQL = """
SELECT array_agg(attname ORDER BY attnum)
FROM pg_catalog.pg_attribute
WHERE attrelid = format('%%I.%%I', %s::text, %s::text)::regclass
  AND attnum > 0
  AND NOT attisdropped
  AND attgenerated = ''
"""

Table = tuple[str, str]  # schema and name


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
        self._deletes = {
            table: sql.SQL("DELETE FROM ONLY {}").format(sql.Identifier(*table)).as_bytes(admin)
            for table in self._tables
        }
        self._marks = self._marked()
        self._kept = {table: self._copy(table) for table, mark in self._marks.items() if mark != EMPTY_MARK}
        self._dead = Counter[Table]()

    def restore(self) -> None:
        """Bring the rows back. It waits for whoever has written and not committed yet."""
        with self.admin.transaction():
            if not (changed := self._changed(self._lock)):
                return
            if emptied := self._empty(changed):
                for table in emptied:
                    self._put(table)
                self._marks = self._marked()

    def written(self) -> bytes:
        """Statements that write the rows of the tables that were empty and have rows now. See `run`."""
        return b";\n".join(self._insert(table) for table in self._changed() if table not in self._kept)

    def run(self, statements: bytes) -> None:
        """Write the rows of `written` as they are, in one transaction: no trigger and no key sees them."""
        # One message to the server: PostgreSQL takes it for one transaction, and COPY needs three for each table.
        self.admin.execute(REPLICA_SQL + b";\n" + statements)

    def _empty(self, tables: list[Table]) -> list[Table]:
        """Delete all rows of these tables. Those of them, and of what refers to them, that began with rows."""
        deleted = self.admin.execute(b";\n".join([REPLICA_SQL, *(self._deletes[table] for table in tables)]))
        for table in tables:
            deleted.nextset()
            self._dead[table] += deleted.rowcount
        if long := [table for table, dead in self._dead.items() if dead > MAX_DEAD_ROWS]:
            # What refers to them is emptied with them, and is among what has changed from then on.
            self.admin.execute(sql.SQL("TRUNCATE {} CASCADE").format(_listed(long)))
            for table in long:
                del self._dead[table]
        return self._changed()

    def _changed(self, *before: bytes) -> list[Table]:
        return [table for table, mark in self._marked(*before).items() if mark != self._marks[table]]

    def _marked(self, *before: bytes) -> dict[Table, str]:
        """A mark of the rows in each table, once the statements `before` are run."""
        found = self.admin.execute(b";\n".join([*before, self._look]))
        for _ in before:
            found.nextset()
        return dict(zip(self._tables, found.fetchone() or (), strict=True))

    def _copy(self, table: Table) -> bytes:
        with self.admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))) as copy:
            return b"".join(map(bytes, copy))

    def _put(self, table: Table) -> None:
        with self.admin.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(*table))) as copy:
            copy.write(self._kept[table])

    def _insert(self, table: Table) -> bytes:
        [columns] = self.admin.execute(COLUMNS_SQL, table).fetchone() or ()
        names = [sql.Identifier(column) for column in columns]
        literals = sql.SQL(", ").join(sql.SQL("quote_nullable({}::text)").format(name) for name in names)
        rows = self.admin.execute(
            sql.SQL("SELECT string_agg(concat('(', concat_ws(', ', {}), ')'), ', ') FROM ONLY {}").format(
                literals, sql.Identifier(*table)
            )
        )
        [values] = rows.fetchone() or ()
        return (
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}")
            .format(sql.Identifier(*table), sql.SQL(", ").join(names), sql.SQL(values))
            .as_bytes(self.admin)
        )


def _listed(tables: list[Table]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
