"""docs/compatibility.md, written from what clients did: python -m tests.support.compatibility."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from local.paths import ROOT
from tests.support.clients import CLIENTS, SERVICE_CLIENTS, Client, Report, is_refusal, run_client
from tests.support.local_stack import running
from tests.support.model_server.server import WIRES, model_server, providers_toml
from tests.support.sdk_tests import SdkTests, run_sdk_tests
from tests.support.service_compatibility import service_lines

TARGET = ROOT / "docs" / "compatibility.md"

_HEAD = """# Compatibility of clients

Made by `make compatibility`: each client calls the local stack, which calls a model server on loopback that speaks one
wire format and refuses what the vendor's API refuses. So a client's dialect is translated to each provider's, or passed
on where both are the same. A cross is a failure, described below its table. 400 means that the provider's API has no
such thing, so that the request is refused by the name of the field.
"""


def write(reports: Mapping[Client, Report], services: Mapping[Client, Report], sdk: SdkTests) -> None:
    """Write the page."""
    TARGET.write_text("\n".join([*_lines(reports), *service_lines(services, sdk)]) + "\n")


def _lines(reports: Mapping[Client, Report]) -> Iterator[str]:
    yield _HEAD
    yield "| client | versions | " + " | ".join(f"via {name}" for name in WIRES) + " |"
    yield "|---|---|" + "---|" * len(WIRES)
    for client, report in reports.items():
        versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
        yield f"| {client.name} | {versions} | " + " | ".join(_sum(report, name) for name in WIRES) + " |"
    for client, report in reports.items():
        yield from _table(client, report)


def _sum(report: Report, upstream: str) -> str:
    faults = [found[upstream] for found in report.faults.values() if upstream in found]
    return f"{sum(not fault or is_refusal(fault) for fault in faults)} of {len(faults)}"


def _table(client: Client, report: Report) -> Iterator[str]:
    yield f"\n## {client.name}\n"
    yield "| what | " + " | ".join(f"via {name}" for name in WIRES) + " |"
    yield "|---|" + "---|" * len(WIRES)
    for scenario, found in report.faults.items():
        yield f"| {scenario} | " + " | ".join(_mark(found.get(name)) for name in WIRES) + " |"
    for failure in report.failures():
        yield f"\n- {failure}"


def _mark(fault: str | None) -> str:
    if fault is None:
        return ""
    return "✓" if not fault else "400" if is_refusal(fault) else "✗"


def main() -> None:
    """Run every client, or those whose names the arguments begin, and write the page when all have run."""
    chosen = [client for client in CLIENTS if not sys.argv[1:] or client.name.startswith(tuple(sys.argv[1:]))]
    with TemporaryDirectory() as name, model_server() as port:
        folder = Path(name)
        (folder / "providers.toml").write_text(providers_toml(port))
        environment = {
            **os.environ,
            "CALLMISSED_PROVIDERS_FILE": str(folder / "providers.toml"),
            "MODEL_SERVER_KEY": "secret",
        }
        with running(folder / "state", folder / "output.txt", environment) as stack:
            announced = stack.announcement
            reports = {client: _reported(client, announced, announced["live_key"]) for client in chosen}
            if len(reports) == len(CLIENTS):
                services = {each: _reported(each, announced, announced["test_key"]) for each in SERVICE_CLIENTS}
                write(reports, services, run_sdk_tests(f"{announced['base_url']}/v1", announced["test_key"]))


def _reported(client: Client, announcement: Mapping[str, str], key: str) -> Report:
    report = run_client(client, announcement["base_url"], key)
    print(client.name, *(f"\n  {failure}" for failure in report.failures()), flush=True)
    return report


if __name__ == "__main__":
    main()
