"""Our page inside evcc's app, which shows it only once it says that it is live: the script run by Node with a window of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

APP_JS = Path(__file__).parents[2] / "server" / "evcc_server" / "web" / "app.js"
WINDOW = r"""
class Element {
  constructor() { Object.assign(this, { style: {}, dataset: {}, children: [], classList: { add() {}, remove() {} } }); }
  get content() { return { firstElementChild: this }; }
  addEventListener(type, done) { this.clicked = done; }
  append(...more) { this.children.push(...more); }
  replaceChildren() {}
  setAttribute() {}
  querySelector() { return new Element(); }
  querySelectorAll() { return []; }
  cloneNode() { return new Element(); }
}
const byIds = {};
const element = () => new Element();
const getElementById = (id) => (byIds[id] ??= element());
global.document = { documentElement: {}, getElementById, createElement: element, createElementNS: element };
Object.defineProperty(global, "navigator", { value: { language: "en" }, configurable: true });
global.location = { href: "http://home/" };
global.localStorage = { getItem: () => null };
global.requestAnimationFrame = (draw) => draw();
global.setTimeout = () => 0;
const told = [];
global.window = { ReactNativeWebView: { postMessage: (text) => told.push(JSON.parse(text).type) } };
let socket;
global.WebSocket = class { constructor() { socket = this; } };
"""
STEPS = r"""
socket.onopen();
const before = [...told];
for (const frame of FRAMES) socket.onmessage({ data: JSON.stringify(frame) });
const live = [...told];
byIds.servers.clicked();
socket.onclose();
const configured = [state.site.pvConfigured, state.site.batteryConfigured];
console.log(JSON.stringify({ before, live, told, configured, loadpoint: state.loadpoints[0] }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_app_is_told_when_the_page_lives_when_not_and_when_its_servers_are_wanted() -> None:
    frames = [
        {"siteTitle": "Home", "pv": [{"power": 1}], "battery": None, "loadpoints.0.offeredCurrent": 16},
        {"loadpoints.0.effectiveLimitSoc": 80},
        {"log": {"message": "a meter is silent", "level": "warn"}},
    ]
    script = WINDOW + APP_JS.read_text(encoding="utf-8") + STEPS.replace("FRAMES", json.dumps(frames))
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["before"], found["live"], found["told"]) == ([], ["online"], ["online", "settings", "offline"])
    assert found["configured"] == [True, False]
    assert found["loadpoint"] == {"chargeCurrent": 16, "targetSoc": 80}
