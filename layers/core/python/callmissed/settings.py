"""Settings that every function shares, read from the environment once.

Without Pydantic, whose import would take a third of the authorizer's start.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class CoreSettings:
    """Settings of a process. Fields come from `CALLMISSED_<NAME>` and AWS's own variables.

    `deployed` says that the process runs in Lambda, `snapshotted` that Lambda freezes the started process and restores
    it many times (SnapStart), `behind_adapter` that the Lambda Web Adapter passes requests on to it. `aws_endpoint`
    replaces the endpoint of every AWS service except DynamoDB. `queue_base` is the URL of the account's queues without
    their names. `allow_loopback` lets user-given URLs reach this machine, which only the local stack may.
    `names_variables` lets answers name environment variables that are missing, which only the local stack may too.
    `public_url` is the API's URL for callers, which a function can't know behind a custom domain; Twilio signs it.
    `console_url` is the web console's URL, for links in mails, and its pages alone may use passkeys. These belong to
    the domain `passkey_rp_id`: the console's host unless it is set to a domain above it. `terms_url` is that of the
    terms of service, which a new account must accept where it is set. A new tenant gets `signup_bonus_credits`
    credits. `google_client_ids` and
    `google_native_client_ids` are the OAuth clients whose ID tokens sign in, between commas; the native ones need no
    captcha. `captcha` is `off` or `turnstile`. `mail_transport` is `none`, `local` (the folder `mail_outbox`), `ses` or
    `smtp`; `mail_from` the sender's address, `smtp_url` such as `smtps://user@mail.example.com:465`.
    `graph_url`, `twilio_url` and `sarvam_url` are the APIs at which tenants' own credentials are verified.
    `cashfree_url` replaces the payment gateway's API. `credits.low` is published below `low_credits` credits.
    """

    stage: str = "local"
    region: str = "ap-south-1"
    dynamodb_endpoint: str | None = None
    aws_endpoint: str | None = None
    queue_base: str = ""
    responses_bucket: str = ""
    stored_responses_bucket: str = ""
    images_bucket: str = ""
    files_bucket: str = ""
    public_url: str = ""
    peppers: str = field(default="", repr=False)
    pepper_secret_name: str = ""
    sealing_keys: str = field(default="", repr=False)
    sealing_secret_name: str = ""
    providers_file: str = ""
    provider_keys_secret_name: str = ""
    callback_secrets_name: str = ""
    payment_secrets_name: str = ""
    account_secrets_name: str = ""
    console_url: str = ""
    passkey_rp_id: str = ""
    terms_url: str = ""
    signup_bonus_credits: int = 100
    google_client_ids: str = ""
    google_native_client_ids: str = ""
    google_certificates_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    captcha: str = "off"
    captcha_url: str = "https://challenges.cloudflare.com/turnstile/v0/siteverify"
    mail_transport: str = "none"
    mail_from: str = ""
    smtp_url: str = ""
    mail_outbox: str = ""
    graph_url: str = "https://graph.facebook.com/v24.0"
    twilio_url: str = "https://api.twilio.com"
    sarvam_url: str = "https://api.sarvam.ai"
    cashfree_url: str = ""
    low_credits: int = 50
    deployed: bool = False
    snapshotted: bool = False
    behind_adapter: bool = False
    allow_loopback: bool = False
    names_variables: bool = False


def variable_of(setting: str) -> str:
    """The environment variable of the field `setting`."""
    return f"CALLMISSED_{setting.upper()}"


def from_environment(environment: Mapping[str, str] | None = None) -> CoreSettings:
    """Settings of this process. Raises ValueError naming a variable that is wrong."""
    source = os.environ if environment is None else environment
    region = source.get("AWS_REGION") or source.get("AWS_DEFAULT_REGION")
    kind = source.get("AWS_LAMBDA_INITIALIZATION_TYPE", "")
    given: dict[str, Any] = {"deployed": bool(kind), "snapshotted": kind == "snap-start"}
    given["behind_adapter"] = "AWS_LWA_PORT" in source
    given |= {"region": region} if region else {}
    for each in fields(CoreSettings):
        variable = variable_of(each.name)
        if text := source.get(variable):
            given.setdefault(each.name, _parsed(variable, text, _PARSERS.get(each.type, str)))
    return CoreSettings(**given)


def aws_credentials(environment: Mapping[str, str] | None = None) -> tuple[str, str, str | None] | None:
    """Access key, secret key and session token where the environment has fixed ones, as in Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    source = os.environ if environment is None else environment
    access_key, secret_key = source.get("AWS_ACCESS_KEY_ID"), source.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or source.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    return access_key, secret_key, source.get("AWS_SESSION_TOKEN") or None


_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_PARSERS: Mapping[Any, Callable[[str], Any]] = {bool: lambda text: _BOOLEANS[text.lower()], int: int}


def _parsed(variable: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except (KeyError, ValueError):
        raise ValueError(f"{variable} can't be {text[:80]!r}") from None
