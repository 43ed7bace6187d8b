"""How the peers are configured."""

import json
from pathlib import Path

import pytest

from bench import peers

UPSTREAM = "http://127.0.0.1:9000/v1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(peers, "HOME", tmp_path / "peers")
    return tmp_path / "peers"


def installed(program: Path) -> None:
    program.parent.mkdir(parents=True)
    program.touch()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("configure", [peers.litellm, peers.portkey])
def test_a_peer_that_is_not_installed_is_none(configure: peers.Configure, tmp_path: Path):
    assert configure(1, UPSTREAM, tmp_path) is None


def test_litellm_has_a_key_and_one_route_to_the_upstream_and_nothing_else(home: Path, tmp_path: Path):
    installed(home / "litellm" / "bin" / "litellm")
    gateway = peers.litellm(1, UPSTREAM, tmp_path)
    assert gateway is not None
    config = json.loads((tmp_path / "litellm.yaml").read_text())
    assert set(config) == {"model_list", "general_settings"}
    assert config["general_settings"] == {"master_key": peers.KEY}
    assert config["model_list"][0]["litellm_params"]["api_base"] == UPSTREAM
    assert "127.0.0.1" in gateway.command


def test_portkey_gets_its_upstream_from_headers_and_kept_on_loopback(home: Path, tmp_path: Path):
    installed(home / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js")
    gateway = peers.portkey(1, UPSTREAM, tmp_path)
    assert gateway is not None
    assert gateway.headers["x-portkey-custom-host"] == UPSTREAM
    preload = Path(gateway.command[gateway.command.index("--require") + 1])
    assert "127.0.0.1" in preload.read_text()
