"""`callmissed integrations`."""

from typing import Annotated

import typer
from pydantic import ValidationError

from callmissed.aws.secrets import sealing_ring
from callmissed.integrations.credentials import Credentials, SarvamCredentials, TwilioCredentials, WhatsAppCredentials
from callmissed.integrations.repository import Integrations, shown
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.errors import CommandError
from cli.groups import HelpfulGroup, command_group
from cli.output import Row
from cli.stage_command import stage_command

PROVIDERS: dict[str, type[Credentials]] = {
    kind.provider: kind for kind in (WhatsAppCredentials, TwilioCredentials, SarvamCredentials)
}

integrations = command_group("integrations")
save = typer.Typer(name="set", help="Save credentials in the place of those before.", cls=HelpfulGroup)
integrations.add_typer(save)


def _secret(help: str, variable: str) -> object:
    """An option whose value need not get into the shell's history: it is asked for, or comes from the environment."""
    return typer.Option(help=help, envvar=variable, prompt=True, hide_input=True, show_envvar=True)


@stage_command(save, "whatsapp", changes=True)
async def save_whatsapp(
    context: CommandContext,
    *,
    phone_number_id: Annotated[str, typer.Option(help="Meta's id of the phone number.")],
    access_token: Annotated[str, _secret("Permanent token of a system user.", "WHATSAPP_ACCESS_TOKEN")],
    verify_token: Annotated[str, _secret("What you chose for Meta's handshake.", "WHATSAPP_VERIFY_TOKEN")],
    app_secret: Annotated[
        str, typer.Option(help="The Meta app's secret, which signs callbacks.", envvar="WHATSAPP_APP_SECRET")
    ] = "",
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Without an app secret: take callbacks from anybody.")
    ] = False,
) -> None:
    """Save a tenant's WhatsApp number."""
    fields = {
        "phone_number_id": phone_number_id,
        "access_token": access_token,
        "verify_token": verify_token,
        "app_secret": app_secret,
        "allow_unsigned": allow_unsigned,
    }
    await _save(context, WhatsAppCredentials, fields)
    if not app_secret and not allow_unsigned:
        context.output.warn("Without an app secret Meta's callbacks can't be verified: all are refused.")


@stage_command(save, "twilio", changes=True)
async def save_twilio(
    context: CommandContext,
    *,
    account_sid: Annotated[str, typer.Option(help="The account, AC….")],
    auth_token: Annotated[str, _secret("The account's token, which signs callbacks.", "TWILIO_AUTH_TOKEN")],
    phone_number: Annotated[str, typer.Option(help="The number in E.164, such as +14155550100.")],
) -> None:
    """Save a tenant's Twilio number."""
    fields = {"account_sid": account_sid, "auth_token": auth_token, "phone_number": phone_number}
    await _save(context, TwilioCredentials, fields)


@stage_command(integrations, "show")
async def show(context: CommandContext) -> None:
    """Show a tenant's credentials, secrets masked."""
    await get_tenant(context.database, context.tenant)
    book, sealer = Integrations(context.database), _sealer(context)
    rows: dict[str, Row] = {}
    for provider, kind in PROVIDERS.items():
        record = await book.get(context.tenant, provider)
        rows |= {provider: shown(record, kind, sealer)} if record else {}
    context.output.record(rows)
    if not rows:
        context.output.warn("No number is connected.")


async def _save(context: CommandContext, kind: type[Credentials], fields: Row) -> None:
    try:
        credentials = kind.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        raise CommandError(f"--{str(wrong['loc'][0]).replace('_', '-')}: {wrong['msg']}.") from None
    saved = await context.operate_on_tenant("PUT", f"/integrations/{kind.provider}", **credentials.model_dump())
    context.output.record(saved["fields"])


def _sealer(context: CommandContext) -> Sealer:
    return Sealer(sealing_ring(context.settings))
