"""`callmissed prices`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.context import CommandContext
from cli.errors import CommandError
from cli.groups import command_group
from cli.stage_command import stage_command

prices = command_group("prices")
_PATH = "/prices"
_PRICES = {
    "model": "model",
    "change": "change",
    "name": "price",
    "old": "old",
    "new": "new",
    "percent": "%",
    "unit": "credits for one",
    "fields": "other fields",
}
_NO_PRICE = {"name": "", "unit": "", "old": None, "new": None, "percent": None}
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The whole providers file (TOML).")]


@stage_command(prices, "preview", of_tenant=False)
async def preview_prices(context: CommandContext, *, file: FileArgument) -> None:
    """Show what a providers file would change."""
    _show(context, await _previewed(context, _text_of(file)), whole=True)


@stage_command(prices, "import", of_tenant=False, changes=True)
async def import_prices(
    context: CommandContext,
    *,
    file: FileArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a providers file in force, after a look at what it changes."""
    text = _text_of(file)
    preview = await _previewed(context, text)
    if not yes:
        _show(context, preview, whole=False)
        typer.confirm("Import?", abort=True, err=True)
    body = {"providers": text, "version": preview["version"]}
    context.output.record(await context.operate_on_platform("POST", f"{_PATH}/import", **body))


async def _previewed(context: CommandContext, text: str) -> dict[str, Any]:
    return await context.ask_as_operator("POST", f"{_PATH}/preview", providers=text)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"{file} can't be read: {why}.") from error


def _show(context: CommandContext, preview: dict[str, Any], *, whole: bool) -> None:
    """Print the preview; as JSON `whole`, or not at all where the answer to the import is the command's output."""
    output = context.output
    if output.as_json:
        if whole:
            output.record(preview)
        return
    output.rows([row for model in preview["models"] for row in _rows(model)], _PRICES)
    providers = [f"{each['provider']} {each['change']}" for each in preview["providers"]]
    counts = ", ".join(f"{preview[name]} {name}" for name in ("added", "removed", "changed"))
    output.record({"models": counts, "providers": providers, "version": preview["version"]})
    for warning in preview["warnings"]:
        output.warn(f"{warning['name']}: {warning['message']}" if warning["name"] else warning["message"])


def _rows(model: dict[str, Any]) -> list[dict[str, Any]]:
    own = {name: model[name] for name in ("model", "change", "fields")}
    return [{**own, **price} for price in model["prices"] or [_NO_PRICE]]
