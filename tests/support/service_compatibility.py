"""The part of docs/compatibility.md about services beyond text: what clients did, and which fields count."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.clients import Client, Report
from tests.support.sdk_tests import MODULES, SdkTests

SERVICES = ("embeddings", "speech", "transcriptions", "translations", "images", "files")

_FIELDS = Path(__file__).with_name("service_fields.md")

_HEAD = """
## Beyond text

Clients that call with a test key, which the sandbox answers: what the SDK sends and reads is tested, and no provider's
translation (`tests/integration/functions/inference` has those).
"""

_OWN_TESTS = """
The first row is openai-python's own tests, taken from its source distribution: `make sdk-tests`. Their placeholders are
replaced by what an API takes, such as a recording for `Example data`
([how](../tests/conformance/clients/openai_tests_conftest.py)). Tests of custom voices, and those that never leave the
SDK (`tests/lib`), are not run. Left out of the others:
"""


def service_lines(reports: Mapping[Client, Report], sdk: SdkTests) -> Iterator[str]:
    """The lines of the section."""
    yield _HEAD
    yield f"| client | versions | {' | '.join(SERVICES)} |"
    yield "|---|---|" + "---|" * len(SERVICES)
    yield _row("OpenAI SDK, Python", f"openai {sdk.version}", [_own(sdk, service) for service in SERVICES])
    for client, report in reports.items():
        versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
        yield _row(client.name, versions, [_sum(report, service) for service in SERVICES])
    yield _OWN_TESTS
    yield from (f"- {count}: {why}" for why, count in sdk.left_out.items())
    for test in sdk.failed:
        yield f"- failed: `{test}`"
    for client, report in reports.items():
        yield from (f"- failed: {client.name}, {failure}" for failure in report.failures())
    yield _FIELDS.read_text().removesuffix("\n")


def _row(name: str, versions: str, cells: list[str]) -> str:
    return f"| {name} | {versions} | {' | '.join(cells)} |"


def _own(sdk: SdkTests, service: str) -> str:
    """Tests that passed, of those that ran; both by the module, whose name has the service."""
    module = next(each for each in MODULES if f"test_{service}.py" in each)
    passed = sum(count for name, count in sdk.passed.items() if name.endswith(module))
    failed = sum(module in test for test in sdk.failed)
    return f"{passed} of {passed + failed}"


def _sum(report: Report, service: str) -> str:
    faults = [found for name, found in report.faults.items() if name.startswith(f"{service}:")]
    done = sum(not any(found.values()) for found in faults)
    return f"{done} of {len(faults)}" if faults else ""
