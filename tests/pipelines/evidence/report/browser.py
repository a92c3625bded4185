"""Headless Chromium, as the tests of the page drive it."""

import json
import os
import subprocess

import pytest


class Browser:
    """Headless Chromium with one page, spoken to over DevTools' pipe."""

    def __init__(self, profile):
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --disable-background-networking"
        # DevTools reads commands from descriptor 3 and answers on 4.
        pipe = f"--remote-debugging-pipe 3<&{commands} 4>&{answers}"
        script = f'exec chromium {flags} {pipe} "$1" about:blank'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "chromium", f"--user-data-dir={profile}"],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._number, self._buffer, self._session, self.events = 0, b"", {}, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        return answer["result"]

    def open(self, path, width=1280):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not self.named("Page.loadEventFired"):
            self.events.append(self._read())
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def named(self, *methods):
        return [e["params"] for e in self.events if e.get("method") in methods]

    def run(self, script):
        wanted = {"returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", expression=script, **wanted)["result"].get("value")

    def close(self):
        self._session = {}
        self.call("Browser.close")
        self._process.wait(timeout=60)
        os.close(self._in)
        os.close(self._out)

    def _read(self):
        while b"\0" not in self._buffer:
            if not (more := os.read(self._in, 1 << 20)):
                pytest.fail("chromium ended before it answered")
            self._buffer += more
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)
