"""Parsers of option values. All raise typer.BadParameter."""

import typer

from callmissed.events.types import EVENT_TYPES, EventData, is_pattern
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import parse_credits


def credit_amount(text: str) -> int:
    """Micro-credits of an amount such as `12.5`."""
    amount = signed_amount(text)
    if amount < 0:
        raise typer.BadParameter(f"'{text}': credits can't be negative.")
    return amount


def signed_amount(text: str) -> int:
    """Micro-credits of an amount such as `12.5` or `-12.5`."""
    try:
        amount = parse_credits(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}': {error}.") from error
    if abs(amount) >= NO_BUDGET:
        raise typer.BadParameter(f"'{text}': less than a trillion credits.")  # more is a typing error, and loses digits
    return amount


def name_list(text: str) -> frozenset[str]:
    """Names separated by commas."""
    return frozenset(filter(None, (name.strip() for name in text.split(","))))


def event_type(text: str) -> type[EventData]:
    """The event type of that name."""
    if text not in EVENT_TYPES:
        raise typer.BadParameter(f"'{text}' is not an event type. There are: {', '.join(EVENT_TYPES)}.")
    return EVENT_TYPES[text]


def event_filter(text: str) -> str:
    """An event type, or a filter such as `message.*`."""
    if not is_pattern(text):
        raise typer.BadParameter(f"'{text}' fits no event type. There are: {', '.join(EVENT_TYPES)}.")
    return text
