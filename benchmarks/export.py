"""What an export of 1,000,000 rows takes, in each format: size, time, and the peak of a process that does nothing else.

python -m benchmarks.export
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from contextlib import closing

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import common
from core.models import ExportFormat

ROWS = 1_000_000
PRODUCTS = 1_000

FILL = """
INSERT INTO core_tenant (id, name, subdomain, is_active) VALUES (%(tenant)s, 'Benchmark', %(subdomain)s, true);
INSERT INTO core_product
    (tenant_id, sku, name, description, category, price_minor, currency, stock, reorder_level, is_active)
SELECT %(tenant)s, 'SKU-' || n, '高山烏龍茶 ' || n, '', '茶葉', 48000 + n, 'TWD', 10, 5, true
FROM generate_series(1, %(products)s) AS n;
INSERT INTO core_stockmovement (tenant_id, product_id, quantity, stock_after, reason, note, actor)
SELECT
    %(tenant)s, p.id, 1, n, 'purchase', '進貨單 ' || encode(sha512((p.id::text || n)::bytea), 'hex'), 'benchmark'
FROM core_product AS p, generate_series(1, %(movements)s / %(products)s) AS n
WHERE p.tenant_id = %(tenant)s;
"""


def fill(admin: psycopg.Connection, subdomain: str, rows: int) -> str:
    """Make a tenant with this many movements of stock. Returns its id."""
    tenant = str(uuid.uuid4())
    with psycopg.ClientCursor(admin) as cursor:
        cursor.execute(FILL, {"tenant": tenant, "subdomain": subdomain, "products": PRODUCTS, "movements": rows})
    admin.execute("VACUUM ANALYZE")
    return tenant


def export(format: str, *tenant_ids: str) -> list[dict[str, float]]:
    """Write an export of each tenant, in one process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.export_once", format, *tenant_ids]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def main() -> None:
    with (
        common.database() as (server, database),
        closing(psycopg.connect(make_conninfo(server.admin_url, dbname=database), autocommit=True)) as admin,
    ):
        tenant = fill(admin, "benchmark", ROWS)
        print("| format | rows | MB | seconds | peak MB |")
        print("|---|---|---|---|---|")
        for format in ExportFormat.values:
            [facts] = export(format, tenant)
            megabytes, peak = facts["bytes"] / 10**6, facts["peak_kilobytes"] * 1024 / 10**6
            print(
                f"| {format} | {facts['rows']:,} | {megabytes:.0f} | {facts['seconds']:.0f} | {peak:.0f} |", flush=True
            )


if __name__ == "__main__":
    main()
