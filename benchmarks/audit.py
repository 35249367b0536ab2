"""How long the audit takes on 100 tenanted tables, and as a ratio to this project's own.

    python -m benchmarks.audit

Each of the added tables has its policies, three unique keys, an index for lists and a foreign key with the tenant. The
audit runs in turns on both databases, as `app_auditor`, from the files; the first run of each, which fills caches, is
left out.
"""

from __future__ import annotations

import os
import statistics
import time

import psycopg

from benchmarks.common import postgres, shown
from rls import audit
from rls.schema.policies import policies

OWN = 15  # tenanted tables of the project
TABLES = 100 - OWN  # beside them
ROUNDS = 20

TABLE = """
CREATE TABLE {name} (
    id uuid PRIMARY KEY DEFAULT app.uuid7(),
    tenant_id uuid NOT NULL REFERENCES core_tenant (id),
    parent_id uuid,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES {parent} (tenant_id, id)
);
CREATE INDEX ON {name} (tenant_id, created_at DESC, id DESC);
{policies}
GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO app_tenant, app_platform;
"""


def add_tables(server: postgres.Server, name: str) -> None:
    """Tables as a project has them; each refers to the one before."""
    with psycopg.connect(server.url(name, "app_owner"), autocommit=True) as owner:
        for number in range(TABLES):
            table, parent = f"wide_{number:03}", f"wide_{max(number - 1, 0):03}"
            owner.execute(TABLE.format(name=table, parent=parent, policies=policies(table)))


def seconds() -> float:
    """How long one audit takes, which must be green."""
    started = time.perf_counter()
    assert audit.run("auditor") == []
    return time.perf_counter() - started


def main() -> None:
    name = f"bench_{os.getpid()}"
    with postgres.running() as server, server.database(f"{name}_own") as own, server.database(f"{name}_100") as hundred:
        add_tables(server, hundred)
        times: dict[str, list[float]] = {own: [], hundred: []}
        for _ in range(ROUNDS + 1):
            for place, taken in times.items():
                server.use(place)
                taken.append(seconds())
    few, many = (taken[1:] for taken in times.values())
    ratios = [longer / shorter for longer, shorter in zip(many, few, strict=True)]
    print(f"100 tables: {statistics.median(many):.3f} s, {shown(ratios)} of {OWN} tables; {len(audit.rules())} rules")


if __name__ == "__main__":
    main()
