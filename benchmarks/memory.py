"""What a serving process holds in memory over many calls, and the processor time of its start.

    .venv/bin/python -m benchmarks.memory           # 100,000 calls
    .venv/bin/python -m benchmarks.memory 20000

Calls are those of `benchmarks.calls`, in both eras in turns. Prints what is held before the first call and after each
tenth of them.
"""

from __future__ import annotations

import sys

from benchmarks import calls, servers
from benchmarks.servers import OURS

CALLS = 100_000
STEPS = 10


def main() -> None:
    wanted = int(sys.argv[1]) if sys.argv[1:] else CALLS
    each = max(1, wanted // STEPS // len(OURS.eras))
    with calls.shop() as shop, servers.running(OURS, shop.of(OURS), shop.log) as server:
        print(f"{server.cpu():.2f} s of processor time until it listens")
        shop.load(server, OURS.eras[0], 1, 1)
        print(f"{server.cpu():.2f} s until the first answer")
        print("| calls | MB |")
        print("|---|---|")
        print(f"| 1 | {server.memory() / 2**20:.1f} |", flush=True)
        for step in range(1, STEPS + 1):
            for era in OURS.eras:
                shop.load(server, era, each, calls.WIDTH)
            print(f"| {step * each * len(OURS.eras):,} | {server.memory() / 2**20:.1f} |", flush=True)


if __name__ == "__main__":
    main()
