"""A headless Chromium, driven over a pipe by its own protocol; no package is needed."""

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import count

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATH = next(filter(None, map(shutil.which, NAMES)), None)
# The browser reads commands from descriptor 3 and answers on 4.
LAUNCHER = (
    "import fcntl, os, sys\n"
    "reads, writes = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])\n"
    "os.dup2(reads, 3)\n"
    "os.dup2(writes, 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


class Chromium:
    """One page of a browser with a profile of its own; use `with`."""

    def __init__(self, folder):
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "about:blank"]
        command = [PATH, f"--user-data-dir={folder}", *options]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(to_read), str(to_write), *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._numbers, self._rest, self._session = count(1), b"", None
        (page,) = [each for each in self._call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._session = None
        self._call("Browser.close")
        self._process.wait(60)
        os.close(self._write)
        os.close(self._read)

    def _call(self, method, **values):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": values}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                content = os.read(self._read, 2**16)
                assert content, "the browser has ended"
                self._rest += content
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address):
        """Open an address and wait until the page is there."""
        self._call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of an expression, also of a promise."""
        found = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    def wait(self, script, seconds=60):
        """Wait until an expression is true."""
        for _ in range(seconds * 20):
            if self.run(script) is True:
                return
            time.sleep(0.05)
        raise AssertionError(
            f"not within {seconds} s: {script}; the page is {self.run('document.body.innerText')}"
        )
