"""The peers, each with nothing switched on but a key: LiteLLM proxy and Portkey's open-source gateway.

`python -m bench.peers install` puts them under `.bench-peers/`, each into an environment of its own.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import ROOT

HOME = ROOT / ".bench-peers"
LITELLM_VERSION = "1.93.0"
PORTKEY_VERSION = "1.15.2"
KEY = "sk-bench"

PORTKEY_PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": PORTKEY_VERSION, "hono": "4.9.7", "@hono/node-server": "1.13.8"},
    "overrides": {"hono": "4.9.7", "@hono/node-server": "1.13.8"},
}
LOOPBACK_ONLY = """\
const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return typeof port === "number" ? listen.call(this, { port, host: "127.0.0.1" }, rest.at(-1))
                                  : listen.call(this, port, ...rest);
};
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """How to start a gateway on `port` and what a call to it must carry."""

    name: str
    version: str
    port: int
    command: tuple[str, ...]
    model: str
    headers: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def base_url(self) -> str:
        """What an SDK would be given."""
        return f"http://127.0.0.1:{self.port}/v1"


Configure = Callable[[int, str, Path], Gateway | None]
"""From a port, the upstream's base URL and a folder for configuration to a peer, or None if it is not installed."""


def litellm(port: int, upstream: str, scratch: Path) -> Gateway | None:
    """LiteLLM proxy with one route, to the base URL `upstream`."""
    program = HOME / "litellm" / "bin" / "litellm"
    if not program.exists():
        return None
    routed = {"model": "openai/fake-chat", "api_base": upstream, "api_key": KEY}
    config = scratch / "litellm.yaml"
    config.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "fake-chat", "litellm_params": routed}],
                "general_settings": {"master_key": KEY},
            }
        )
    )
    return Gateway(
        name="LiteLLM",
        version=LITELLM_VERSION,
        port=port,
        command=(str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
        model="fake-chat",
        headers={"Authorization": f"Bearer {KEY}"},
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"},
    )


def portkey(port: int, upstream: str, scratch: Path) -> Gateway | None:
    """Portkey's Node server, with headers that name the base URL `upstream`."""
    program = HOME / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not program.exists():
        return None
    preload = scratch / "loopback.cjs"
    preload.write_text(LOOPBACK_ONLY)  # it has no option for the address and would listen on all of them
    return Gateway(
        name="Portkey",
        version=PORTKEY_VERSION,
        port=port,
        command=("node", "--require", str(preload), str(program), f"--port={port}", "--headless"),
        model="fake-chat",
        headers={
            "Authorization": f"Bearer {KEY}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": upstream,
        },
        env={"NODE_ENV": "production"},
    )


PEERS: Mapping[str, Configure] = {"LiteLLM": litellm, "Portkey": portkey}


def _uv() -> str:
    bundled = ROOT / ".tools" / "bin" / "uv"
    return str(bundled) if bundled.exists() else shutil.which("uv") or "uv"


def install() -> None:
    """Install both peers. Raises `CalledProcessError` when uv or npm fails."""
    environment = HOME / "litellm"
    portkey_home = HOME / "portkey"
    portkey_home.mkdir(parents=True, exist_ok=True)
    (portkey_home / "package.json").write_text(json.dumps(PORTKEY_PACKAGE, indent=2))
    commands = (
        (_uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)),
        (_uv(), "pip", "install", "--quiet", "--python", str(environment), f"litellm[proxy]=={LITELLM_VERSION}"),
        ("npm", "install", "--prefix", str(portkey_home), "--ignore-scripts", "--no-audit", "--no-fund"),
    )
    for command in commands:
        subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m bench.peers install")
    install()
