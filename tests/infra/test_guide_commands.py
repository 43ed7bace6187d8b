"""The commands of the guides fit what the templates make."""

import re
from collections.abc import Iterator

import pytest

from infra.config import from_context
from tests.support.assembly import Assembly
from tests.support.guides import blocks

GUIDES = ("docs/first-account.md", "docs/operations.md")
PLAIN_TEXT = re.compile(r"\bREPORT\b|(?:Restore|Init|Billed) Duration")
OPTION = re.compile(r"-c (?:'([^']+)'|(\S+))")


def commands(guide: str) -> Iterator[str]:
    for block in blocks(guide, "sh"):
        yield from block.splitlines()


@pytest.mark.parametrize("guide", GUIDES)
def test_guide_looks_for_lambdas_own_lines_in_the_format_that_functions_log_in(assembly: Assembly, guide: str) -> None:
    """As JSON, the report of a call is a line of type `platform.report`.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    formats = {function["LoggingConfig"]["LogFormat"] for function in assembly.properties("AWS::Lambda::Function")}
    assert formats == {"JSON"}
    assert [line for line in commands(guide) if PLAIN_TEXT.search(line)] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_guide_deploys_with_settings_that_a_stage_has(guide: str) -> None:
    from aws_cdk import App

    deployments = [line for line in commands(guide) if "npx cdk deploy" in line]
    assert deployments
    for line in deployments:
        options = [quoted or plain for quoted, plain in OPTION.findall(line)]
        from_context(App(context=dict(option.split("=", 1) for option in options)).node)


def test_first_failure_is_one_that_cloudformation_finds_only_while_it_deploys() -> None:
    """A name that is taken is found before: no stack would roll back.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
    """
    fails = [line for line in commands("docs/first-account.md") if "# fails" in line]
    assert len(fails) == 1
    assert "reserved_concurrency" in fails[0]
    assert not any("create-log-group" in line for line in commands("docs/first-account.md"))
