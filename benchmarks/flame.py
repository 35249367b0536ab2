"""Where the time of a tool call goes: a flame graph, and the share of each package.

    .venv/bin/python -m benchmarks.flame      # after make bench-calls, which installs py-spy into .local/peers

Our server, with everything on, is called as `benchmarks.calls` calls it, while py-spy samples whichever thread holds
the interpreter. Worker threads hold it for a moment only, and are missed more often than the event loop: so the samples
of both are weighted by the processor time that the kernel counts for each while nobody looks. Writes
docs/reference/images/call.svg, and prints a table.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from benchmarks import calls, servers
from benchmarks.counting import MODERN
from benchmarks.servers import OURS, PEERS

IMAGE = Path("docs/reference/images/call.svg")
SAMPLES_PER_SECOND, SECONDS = 200, 60
WEIGHED_CALLS = 2_000
# Of the picture: pixels, and the narrowest frame that is drawn, as a share of the whole.
WIDTH, ROW, NARROWEST = 1200, 17, 0.002
LETTER = 6.1  # pixels of a letter
# What begins a thread's work: what lies below it is the same for all.
LOOP, WORKERS = "event loop", "worker threads"
ROOTS = {"Runner.run": LOOP, "_do_all": WORKERS}
# Where a thread waits, though the kernel may call it busy.
WAITS = {"Condition.wait", "Runner.run", "_do_all"}
# Whose code a file is: the first that its path holds.
OWNERS = {
    "mcp_server/": "mcp_server",
    "rls/": "rls",
    "core/": "the shop",
    "mcp/": "the SDK",
    "mcp_types/": "the SDK",
    "pydantic": "pydantic",
    "django/": "Django",
    "asgiref/": "Django",
    "psycopg": "psycopg",
    "babel/": "Babel",
    "starlette/": "Starlette, uvicorn, anyio",
    "uvicorn/": "Starlette, uvicorn, anyio",
    "anyio/": "Starlette, uvicorn, anyio",
    "sse_starlette/": "Starlette, uvicorn, anyio",
}
REST = "Python's library"
COLOURS = {
    "mcp_server": "#e4853f",
    "rls": "#d8b13c",
    "the shop": "#c9614f",
    "the SDK": "#5b8fc7",
    "pydantic": "#7f6fb8",
    "Django": "#4f9d69",
    "psycopg": "#3f8f8f",
    "Babel": "#b6688f",
    "Starlette, uvicorn, anyio": "#8aa4b8",
    REST: "#b9b9b0",
}


@dataclass(slots=True)
class Frame:
    """A function, with the share of the time that it and those that it calls take."""

    name: str
    share: float = 0.0
    callees: dict[str, Frame] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """How many rows the frames with so many samples take."""
        return 1 + max((each.depth(least) for each in self.callees.values() if each.share >= least), default=0)


def record(place: Path) -> tuple[str, dict[str, float]]:
    """Stacks with the number of their samples, a line each, as py-spy writes them; and the processor time by thread."""
    stacks = place / "stacks"
    with calls.shop() as shop, servers.running(OURS, shop.of(OURS), shop.log) as server:
        pid = server.process.pid
        shop.load(server, MODERN, calls.WARM_UP, calls.WIDTH)
        before = _threads(pid)
        shop.load(server, MODERN, WEIGHED_CALLS, calls.WIDTH)
        spent = {root: after - before[root] for root, after in _threads(pid).items()}
        options = ["--gil", "--rate", str(SAMPLES_PER_SECOND), "--duration", str(SECONDS), "--format", "raw"]
        command = [PEERS.parent / "py-spy", "record", *options, "--output", stacks, "--pid", str(pid)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
            while spy.poll() is None:  # it ends by itself
                shop.load(server, MODERN, calls.CALLS, calls.WIDTH)
    return stacks.read_text(), spent


def _threads(pid: int) -> dict[str, float]:
    """The processor time of the event loop, which runs in the first thread, and of all other threads, in ns."""
    spent = {
        task.name: int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()
    }
    return {LOOP: spent.pop(str(pid)), WORKERS: sum(spent.values())}


def weighted(recorded: str, spent: dict[str, float]) -> list[tuple[list[str], float]]:
    """Each stack with its share of the processor time."""
    found = list(stacks(recorded))
    samples = Counter[str]()
    for frames, number in found:
        samples[frames[0]] += number
    return [(frames, number / samples[frames[0]] * spent[frames[0]] / sum(spent.values())) for frames, number in found]


def stacks(recorded: str) -> Iterator[tuple[list[str], int]]:
    """Each stack from what begins the thread's work, without line numbers, and its samples."""
    for line in recorded.splitlines():
        text, _, samples = line.rpartition(" ")
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in text.split(";")]
        if frames[-1].partition(" (")[0] in WAITS:
            continue
        for start, frame in enumerate(frames):
            if root := ROOTS.get(frame.partition(" (")[0]):
                yield [root, *frames[start + 1 :]], int(samples)
                break


def tree(found: Sequence[tuple[list[str], float]]) -> Frame:
    """The stacks, joined where they begin alike."""
    whole = Frame("a call")
    for frames, share in found:
        whole.share += share
        at = whole
        for frame in frames:
            at = at.callees.setdefault(frame, Frame(frame))
            at.share += share
    return whole


def owner(frame: str) -> str:
    """Whose code a frame is."""
    path = frame.rpartition("(")[2]
    return next((name for part, name in OWNERS.items() if path.startswith(part) or f"/{part}" in path), REST)


def shares(found: Sequence[tuple[list[str], float]]) -> Iterator[str]:
    """A table: whose functions take the time."""
    counted = defaultdict[str, float](float)
    for frames, taken in found:
        counted[owner(frames[-1])] += taken
    yield "| code of | share |"
    yield "|---|---|"
    for name, share in sorted(counted.items(), key=lambda each: -each[1]):
        yield f"| {name} | {share:.0%} |"


def picture(whole: Frame) -> str:
    """The flame graph: the width of a frame is its share of the time, those that it calls stand on it."""
    least = whole.share * NARROWEST
    height = whole.depth(least) * ROW + 2 * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="monospace" font-size="10">',
        '<rect width="100%" height="100%" fill="#fdfdfb"/>',
        *_legend(),
        *_drawn(whole, 0.0, height - ROW, WIDTH / whole.share, least),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend() -> Iterator[str]:
    left = 4.0
    for name, colour in COLOURS.items():
        yield f'<rect x="{left:.0f}" y="3" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{left + 13:.0f}" y="12">{escape(name)}</text>'
        left += 13 + (len(name) + 3) * LETTER


def _drawn(frame: Frame, left: float, top: float, scale: float, least: float) -> Iterator[str]:
    width = frame.share * scale
    name, _, place = frame.name.partition(" (")
    said = escape(name.rpartition(".<locals>.")[2][: max(0, int((width - 4) / LETTER))])
    share = frame.share * scale / WIDTH
    yield f"<g><title>{escape(frame.name)}: {share:.1%}</title>"
    colour = COLOURS[owner(frame.name)] if place else COLOURS[REST]
    yield f'<rect x="{left:.1f}" y="{top:.0f}" width="{max(0.3, width - 0.4):.1f}" height="{ROW - 1}" fill="{colour}"/>'
    if len(said) > 2:
        yield f'<text x="{left + 2:.1f}" y="{top + 12:.0f}">{said}</text>'
    yield "</g>"
    for callee in sorted(frame.callees.values(), key=lambda each: each.name):
        if callee.share >= least:
            yield from _drawn(callee, left, top - ROW, scale, least)
            left += callee.share * scale


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="flame-") as place:
        found = weighted(*record(Path(place)))
    IMAGE.parent.mkdir(exist_ok=True)
    IMAGE.write_text(picture(tree(found)))
    for line in shares(found):
        print(line)


if __name__ == "__main__":
    main()
