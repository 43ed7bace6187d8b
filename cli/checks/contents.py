"""Secrets and the providers file: there, filled, and readable for the functions that need them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from callmissed.aws.secrets import parsed_peppers, parsed_sealing_keys
from callmissed.catalog.model import PLACEHOLDER, Catalog
from callmissed.platform.resources import (
    CALLBACK_SECRETS,
    PAYMENT_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    SEALING_KEYS,
    Resource,
)
from cli.checks.bedrock import check_models
from cli.checks.finding import CheckedStage, Finding, Severity, code_of, is_denied, ok, unseen
from cli.checks.providers_file import read_catalog

_RINGS: Mapping[Resource, Callable[[str], object]] = {PEPPERS: parsed_peppers, SEALING_KEYS: parsed_sealing_keys}
_EXAMPLES = {
    PROVIDER_KEYS: '{"OPENAI_API_KEY": "…"}',
    CALLBACK_SECRETS: '{"META_APP_ID": "…", "META_APP_SECRET": "…"}',
    PAYMENT_SECRETS: '{"CASHFREE_APP_ID": "…", "CASHFREE_SECRET_KEY": "…", "CASHFREE_ENVIRONMENT": "production"}',
}
_OF_GATEWAY = ("CASHFREE_APP_ID", "CASHFREE_SECRET_KEY")
_ENVIRONMENT, _ENVIRONMENTS = "CASHFREE_ENVIRONMENT", ("production", "sandbox")


def check_rings(stage: CheckedStage) -> Iterator[Finding]:
    """Whether there are peppers and sealing keys, without which no key works and no webhook is signed."""
    for resource, parse in _RINGS.items():
        name = resource.physical_name(stage.name)
        text = _text(stage, name)
        if isinstance(text, Finding):
            yield text
            continue
        try:
            parse(text)
        except ValueError as error:
            yield Finding(name, Severity.BLOCKS, str(error), _put(name, "$(openssl rand -hex 32)"))
        else:
            yield ok(name, "filled")


def check_provider_keys(stage: CheckedStage) -> Iterator[Finding]:
    """Whether the keys of the catalog's providers are there, and the providers file can be read."""
    catalog, finding = read_catalog(stage)
    yield finding
    yield from _keys_of_providers(stage, catalog)


def check_callback_secrets(stage: CheckedStage) -> Iterator[Finding]:
    """Whether the platform's own app at Meta is set up."""
    values = _object(stage, CALLBACK_SECRETS)
    if isinstance(values, Finding):
        yield values
    elif not any(values.values()):
        name = CALLBACK_SECRETS.physical_name(stage.name)
        text = "empty: businesses can't connect WhatsApp by Embedded Signup, only by hand"
        yield Finding(name, Severity.ADVICE, text, _put(name, f"'{_EXAMPLES[CALLBACK_SECRETS]}'"))
    else:
        yield ok(CALLBACK_SECRETS.physical_name(stage.name), f"has {', '.join(sorted(values))}")


def check_payment_secrets(stage: CheckedStage) -> Iterator[Finding]:
    """Whether there is a payment gateway, whose production takes money."""
    name, values = PAYMENT_SECRETS.physical_name(stage.name), _object(stage, PAYMENT_SECRETS)
    if isinstance(values, Finding):
        yield values
        return
    environment, put = values.get(_ENVIRONMENT) or "sandbox", _put(name, f"'{_EXAMPLES[PAYMENT_SECRETS]}'")
    if not any(values.values()):
        text = "empty: payments are answered with 503, and callbacks of Cashfree are refused"
        yield Finding(name, Severity.ADVICE, text, put)
    elif missing := [each for each in _OF_GATEWAY if not values.get(each)]:
        yield Finding(name, Severity.BLOCKS, f"without {_listed(missing)}: payments are answered with 503", put)
    elif environment not in _ENVIRONMENTS:
        yield Finding(name, Severity.BLOCKS, f"{_ENVIRONMENT} is neither production nor sandbox", put)
    elif environment == "sandbox":
        yield Finding(name, Severity.ADVICE, "is of Cashfree's sandbox: orders are paid with no money", put)
    else:
        yield ok(name, f"has {', '.join(_OF_GATEWAY)}, for {environment}")


def _keys_of_providers(stage: CheckedStage, catalog: Catalog) -> Iterator[Finding]:
    name, values = PROVIDER_KEYS.physical_name(stage.name), _object(stage, PROVIDER_KEYS)
    if isinstance(values, Finding):
        yield values
        return
    wanted = {each.api_key_env for each in catalog.providers.values() if each.api_key_env}
    given = {variable for variable, value in values.items() if value}
    put = _put(name, f"'{_EXAMPLES[PROVIDER_KEYS]}'")
    on_bedrock = list(check_models(stage, catalog, values))
    is_keyless = any(each.base_url and not each.api_key_env for each in catalog.providers.values())
    if not (wanted & given or is_keyless or on_bedrock):
        yield Finding(name, Severity.BLOCKS, "no key of any provider: only the sandbox answers", put)
    else:
        yield ok(name, f"has {_listed(wanted & given)}; without: {_listed(wanted - given)}")
    if unknown := given - wanted - _placeholders(catalog):
        yield Finding(name, Severity.ADVICE, f"no provider of the catalog has the key {_listed(unknown)}", put)
    yield from on_bedrock


def _placeholders(catalog: Catalog) -> set[str]:
    """Variables in the URLs and headers of providers, such as the id of an account."""
    texts = (text for each in catalog.providers.values() for text in (each.base_url, *each.headers.values()))
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


def _object(stage: CheckedStage, resource: Resource) -> dict[str, Any] | Finding:
    name = resource.physical_name(stage.name)
    text = _text(stage, name)
    if isinstance(text, Finding):
        return text
    try:
        values: object = json.loads(text or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return Finding(name, Severity.BLOCKS, "is no JSON object", _put(name, f"'{_EXAMPLES[resource]}'"))
    return values  # pyright: ignore[reportUnknownVariableType]  JSON


def _text(stage: CheckedStage, name: str) -> str | Finding:
    secrets = stage.clients("secretsmanager")
    try:
        text: str | None = secrets.get_secret_value(SecretId=name).get("SecretString")
    except ClientError as error:
        if is_denied(error):
            return unseen(name, error)
        if code_of(error) == "InvalidRequestException":
            restore = f"aws secretsmanager restore-secret --secret-id {name}"
            return Finding(name, Severity.BLOCKS, "is to be deleted, and can't be read", restore)
        if code_of(error) == "ResourceNotFoundException":
            return Finding(name, Severity.BLOCKS, "does not exist", stage.deploy("data"))
        raise
    return Finding(name, Severity.BLOCKS, "is binary, not text", _put(name, "…")) if text is None else text


def _put(name: str, value: str) -> str:
    return f"aws secretsmanager put-secret-value --secret-id {name} --secret-string {value}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
