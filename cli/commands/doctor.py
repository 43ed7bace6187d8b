"""`callmissed doctor`."""

from typing import TYPE_CHECKING, Annotated

import typer

from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from cli.checks.finding import Finding

COLUMNS = {"subject": "subject", "status": "status", "finding": "finding", "remedy": "remedy"}


def doctor(
    stage: Annotated[str, typer.Option(help="The deployed stage.")],
    region: Annotated[
        str, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region of the stage.")
    ] = CoreSettings().region,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Check what a deployed stage needs, and say what is missing and how to mend it.

    Exits with 1 when something blocks callers.
    """
    from cli.checks.finding import Severity  # a help text waits neither for boto3 nor for the catalog
    from cli.errors import EXPECTED_ERRORS, explain
    from cli.output import Output

    output = Output(as_json=json)
    try:
        findings = _findings(stage, region)
    except EXPECTED_ERRORS as error:
        output.fail(explain(error, None))
        raise typer.Exit(1) from None
    if json:
        output.rows([finding.row for finding in findings], COLUMNS)
    else:
        _show(findings)
    if any(finding.severity is Severity.BLOCKS for finding in findings):
        raise typer.Exit(1)


def _findings(stage: str, region: str) -> "list[Finding]":
    from cli.checks.stage import check_stage

    return check_stage(stage, region)


def _show(findings: "list[Finding]") -> None:
    """A line for each finding, and the command below it in one piece, to copy."""
    for finding in findings:
        typer.echo(f"{finding.severity:7} {finding.subject}: {finding.text}")
        if finding.remedy:
            typer.echo(f"        {finding.remedy}")
