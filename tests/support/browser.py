"""A headless Chromium, which is asked by its own protocol through a pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Nothing that is expected waits for its end.
SOON = 120.0


class Browser:
    """One page. `refused` are the URLs that it was sent to and could not open, and what its console says."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._buffer = b""
        self._last = 0
        self._session = ""
        self.said: list[str] = []
        self.visited: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """What the browser answers to a command."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        sent = message | ({"sessionId": self._session} if self._session else {})
        os.write(self._to, json.dumps(sent).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == self._last:
                assert "error" not in found, found
                return found["result"]
            self._note(found)

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def wait(self, expression: str) -> None:
        """Return when an expression is true in the page."""
        deadline = time.monotonic() + SOON
        while not self.value(expression):
            assert time.monotonic() < deadline, f"{expression}: {self.value('document.body.innerText')}"

    def press(self, key: str, *, text: str = "", code: int = 0) -> None:
        """A key of the keyboard."""
        facts = {"key": key, "windowsVirtualKeyCode": code} | ({"text": text} if text else {})
        self.call("Input.dispatchKeyEvent", type="keyDown", **facts)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def tab(self) -> None:
        self.press("Tab", code=9)

    def enter(self) -> None:
        self.press("Enter", text="\r", code=13)

    def space(self) -> None:
        self.press(" ", text=" ", code=32)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._back], [], [], SOON)[0], "the browser says nothing"
            chunk = os.read(self._back, 2**16)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def _note(self, found: dict[str, Any]) -> None:
        params = found.get("params", {})
        if found.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif found.get("method") == "Network.requestWillBeSent":
            self.visited.append(params["request"]["url"])


@contextmanager
def browsing(language: str = "en") -> Iterator[Browser]:
    """A browser that has kept nothing, and asks for a language."""
    assert PROGRAM is not None
    (theirs_in, to), (back, theirs_out) = os.pipe(), os.pipe()

    def give() -> None:
        os.dup2(theirs_in, 198)
        os.dup2(theirs_out, 199)
        os.dup2(198, 3)
        os.dup2(199, 4)

    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as place:
        process = subprocess.Popen(
            [
                PROGRAM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                f"--user-data-dir={place}",
                f"--accept-lang={language}",
                f"--lang={language}",
            ],
            preexec_fn=give,  # noqa: PLW1509  (a test has one thread, and the pipe has to be the files 3 and 4)
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(to, back)
        finally:
            process.kill()
            process.wait()
            os.close(to)
            os.close(back)
