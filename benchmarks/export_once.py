"""Exports in a process of their own: of each a line of JSON with its rows, bytes and seconds, and the peak of memory.

python -m benchmarks.export_once FORMAT TENANT_ID...
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import rls  # noqa: E402
from core.models import ExportFormat  # noqa: E402
from core.services import exports  # noqa: E402

STATUS = Path("/proc/self/status")


def peak_kilobytes() -> int:
    """The most memory that this process has held, the interpreter and all libraries included.

    Linux's VmHWM, because `ru_maxrss` begins there with what the parent had; elsewhere `ru_maxrss`, of which macOS
    gives bytes.
    """
    if STATUS.exists():
        [line] = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def export(format: str, tenant_id: str) -> dict[str, float]:
    """Write an export of a tenant."""
    started = time.perf_counter()
    with rls.tenant_context(tenant_id):
        made = exports.create(format=ExportFormat(format), actor="benchmark")
    return {
        "rows": made.export.row_count,
        "bytes": made.export.byte_count,
        "seconds": round(time.perf_counter() - started, 1),
        "peak_kilobytes": peak_kilobytes(),
    }


if __name__ == "__main__":
    for tenant in sys.argv[2:]:
        print(json.dumps(export(sys.argv[1], tenant)))
