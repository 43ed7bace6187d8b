"""`callmissed coupons`."""

from typing import Annotated
from urllib.parse import quote

import typer

from callmissed.money import MicroCredits, show
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import credit_amount
from cli.stage_command import stage_command
from functions.billing.coupons.schemas import CouponRow
from functions.billing.coupons.service import Coupons
from functions.billing.payments.repository import Orders

coupons = command_group("coupons")
_PATH = "/coupons"
_COLUMNS = {
    "code": "code",
    "credits": "credits",
    "redeemed": "redeemed",
    "max_redemptions": "of",
    "per_tenant_limit": "per tenant",
    "starts_at": "starts",
    "ends_at": "ends",
    "disabled": "disabled",
}


@stage_command(coupons, "create", changes=True)
async def create_coupon(
    context: CommandContext,
    *,
    code: Annotated[str, typer.Argument(help="Letters, digits, - and _; in any case.")],
    amount: Annotated[int, typer.Argument(parser=credit_amount, metavar="CREDITS", help="How many it adds.")],
    max_redemptions: Annotated[int, typer.Option(min=1, help="How often it may be redeemed in all.")],
    per_tenant_limit: Annotated[int, typer.Option(min=1, help="How often by one tenant.")] = 1,
    starts_at: Annotated[
        str | None, typer.Option(help="From when on (ISO 8601, with a time zone); now if not given.")
    ] = None,
    ends_at: Annotated[str | None, typer.Option(help="The first moment at which it is over.")] = None,
) -> None:
    """Make a coupon, which people redeem for credits."""
    context.output.record(
        await context.operate_on_platform(
            "POST",
            _PATH,
            code=code,
            credits=show(MicroCredits(amount)),
            max_redemptions=max_redemptions,
            per_tenant_limit=per_tenant_limit,
            starts_at=starts_at,
            ends_at=ends_at,
        )
    )


@stage_command(coupons, "list")
async def list_coupons(context: CommandContext) -> None:
    """List the coupons, the newest first."""
    found = await Coupons(Orders(context.database)).all()
    context.output.rows([CouponRow.of(coupon).model_dump() for coupon in found], _COLUMNS)


@stage_command(coupons, "disable", changes=True)
async def disable_coupon(context: CommandContext, *, code: Annotated[str, typer.Argument(help="The coupon.")]) -> None:
    """End a coupon for good. What it added stays."""
    context.output.record(await context.operate_on_platform("POST", f"{_PATH}/{quote(code, safe='')}/disable"))
