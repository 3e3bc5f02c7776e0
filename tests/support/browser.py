"""A headless Chromium that opens a page and tells what happened, over the pipe of its DevTools."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
WAIT_S = 60


class Browser:
    """One tab."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, come: int) -> None:
        self._process, self._to, self._come = process, to, come
        self._number, self._rest, self._session = 0, b"", ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask DevTools; what the page says meanwhile is kept."""
        self._number += 1
        about = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": parameters} | about
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, page: Path, width: int = 1_000, scheme: str = "light") -> None:
        """Open a file and wait until its charts are drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=page.resolve().as_uri())
        deadline = time.monotonic() + WAIT_S
        while not self.ask("document.documentElement.hasAttribute('data-drawn')"):
            assert time.monotonic() < deadline, self.complaints
            time.sleep(0.05)

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript is in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._come, 1 << 16)
            assert chunk, "Chromium has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded":
                self.complaints.append(json.dumps(about)[:2_000])
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile, and end it."""
    assert CHROMIUM, "Chromium is missing: apt install chromium"
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def as_devtools() -> None:
        read, write = os.dup(to_read), os.dup(from_write)
        os.dup2(read, 3)
        os.dup2(write, 4)

    arguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}",
    ]  # fmt: skip
    process = subprocess.Popen(
        [CHROMIUM, *arguments], preexec_fn=as_devtools, close_fds=False, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Browser(process, to_write, from_read)
    finally:
        process.terminate()
        process.wait(WAIT_S)
        os.close(to_write)
        os.close(from_read)
