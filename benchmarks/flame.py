"""Where the time of a tool call goes: a flame graph, and the share of each package.

    .venv/bin/python -m benchmarks.flame      # after make bench-calls, which installs py-spy into .local/peers

Our server, with everything on, is called as `benchmarks.calls` calls it, while py-spy samples what its threads do.
Writes docs/reference/images/call.svg, and prints a table.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from benchmarks import calls, servers
from benchmarks.counting import MODERN
from benchmarks.servers import OURS, PEERS

IMAGE = Path("docs/reference/images/call.svg")
SAMPLES_PER_SECOND, SECONDS = 200, 25
# Of the picture: pixels, and the narrowest frame that is drawn, as a share of the whole.
WIDTH, ROW, NARROWEST = 1200, 17, 0.002
LETTER = 6.1  # pixels of a letter
# What begins a thread's work: what lies below it is the same for all.
ROOTS = {"Runner.run": "event loop", "WorkerThread.run": "worker threads"}
# Where a thread waits, though the kernel may call it busy.
WAITS = {"Condition.wait", "Runner.run"}
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
    """A function, with the samples that it and those that it calls were seen in."""

    name: str
    samples: int = 0
    callees: dict[str, Frame] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """How many rows the frames with so many samples take."""
        return 1 + max((each.depth(least) for each in self.callees.values() if each.samples >= least), default=0)


def record(place: Path) -> str:
    """Stacks with the number of their samples, a line each, as py-spy writes them."""
    stacks = place / "stacks"
    with calls.shop() as shop, servers.running(OURS, shop.of(OURS), shop.log) as server:
        shop.load(server, MODERN, calls.WARM_UP, calls.WIDTH)
        options = ["--rate", str(SAMPLES_PER_SECOND), "--duration", str(SECONDS), "--format", "raw"]
        command = [PEERS.parent / "py-spy", "record", *options, "--output", stacks, "--pid", str(server.process.pid)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
            while spy.poll() is None:  # it ends by itself
                shop.load(server, MODERN, calls.CALLS, calls.WIDTH)
    return stacks.read_text()


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


def tree(found: Sequence[tuple[list[str], int]]) -> Frame:
    """The stacks, joined where they begin alike."""
    whole = Frame("a call")
    for frames, samples in found:
        whole.samples += samples
        at = whole
        for frame in frames:
            at = at.callees.setdefault(frame, Frame(frame))
            at.samples += samples
    return whole


def owner(frame: str) -> str:
    """Whose code a frame is."""
    path = frame.rpartition("(")[2]
    return next((name for part, name in OWNERS.items() if path.startswith(part) or f"/{part}" in path), REST)


def shares(found: Sequence[tuple[list[str], int]]) -> Iterator[str]:
    """A table: whose functions the samples were in."""
    counted = Counter[str]()
    for frames, samples in found:
        counted[owner(frames[-1])] += samples
    yield "| code of | share |"
    yield "|---|---|"
    for name, samples in counted.most_common():
        yield f"| {name} | {samples / counted.total():.0%} |"


def picture(whole: Frame) -> str:
    """The flame graph: the width of a frame is its share of the time, those that it calls stand on it."""
    least = whole.samples * NARROWEST
    height = whole.depth(least) * ROW + 2 * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="monospace" font-size="10">',
        '<rect width="100%" height="100%" fill="#fdfdfb"/>',
        *_legend(),
        *_drawn(whole, 0.0, height - ROW, WIDTH / whole.samples, least),
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
    width = frame.samples * scale
    name, _, place = frame.name.partition(" (")
    said = escape(name.rpartition(".<locals>.")[2][: max(0, int((width - 4) / LETTER))])
    share = frame.samples * scale / WIDTH
    yield f"<g><title>{escape(frame.name)}: {share:.1%}</title>"
    colour = COLOURS[owner(frame.name)] if place else COLOURS[REST]
    yield f'<rect x="{left:.1f}" y="{top:.0f}" width="{max(0.3, width - 0.4):.1f}" height="{ROW - 1}" fill="{colour}"/>'
    if len(said) > 2:
        yield f'<text x="{left + 2:.1f}" y="{top + 12:.0f}">{said}</text>'
    yield "</g>"
    for callee in sorted(frame.callees.values(), key=lambda each: each.name):
        if callee.samples >= least:
            yield from _drawn(callee, left, top - ROW, scale, least)
            left += callee.samples * scale


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="flame-") as place:
        found = list(stacks(record(Path(place))))
    IMAGE.parent.mkdir(exist_ok=True)
    IMAGE.write_text(picture(tree(found)))
    for line in shares(found):
        print(line)


if __name__ == "__main__":
    main()
