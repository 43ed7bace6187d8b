"""`callmissed payments`."""

import secrets
from typing import Annotated
from urllib.parse import quote

import typer

from cli.context import CommandContext
from cli.groups import command_group
from cli.stage_command import stage_command

payments = command_group("payments")


@stage_command(payments, "refund", changes=True)
async def refund_order(
    context: CommandContext,
    *,
    order_id: Annotated[str, typer.Argument(help="The order, such as cm_0123456789abcdef.")],
    amount: Annotated[str | None, typer.Option(help="Rupees, such as 49.50; all that is left if not given.")] = None,
    refund_id: Annotated[
        str | None, typer.Option(help="Name of this refund: repeated under the same name it shows what became of it.")
    ] = None,
) -> None:
    """Pay an order back, in full or in part; its credits are taken back first."""
    asked = {"refund_id": refund_id or f"cli-{secrets.token_hex(8)}", "amount": amount}
    path = f"/payments/{quote(order_id, safe='')}/refund"
    context.output.record(await context.operate_on_platform("POST", path, **asked))
