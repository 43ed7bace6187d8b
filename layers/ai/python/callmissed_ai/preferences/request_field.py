"""The field `provider` of a request, which is the same in every dialect. It follows OpenRouter's field of that name.

https://openrouter.ai/docs/features/provider-routing
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from callmissed.money import CREDIT, CREDITS_PER_USD
from callmissed_ai.preferences.wishes import NO_PREFERENCES, Preferences, Sort

FIELD = "provider"
_MAX_NAMES = 100
_MAX_USD = 1_000_000.0


def _amount(value: object) -> float:
    """USD as a number, or as text, as price lists have it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        raise ValueError("must be a number") from None
    if not 0 <= amount < math.inf:
        raise ValueError("must not be negative or infinite")
    return min(amount, _MAX_USD)


_Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(str.lower)]
_Names = Annotated[list[_Name], Field(max_length=_MAX_NAMES)]
_Usd = Annotated[float, BeforeValidator(_amount)]


class MaxPrice(BaseModel):
    """The highest price that the caller accepts, in USD per million tokens."""

    model_config = ConfigDict(strict=True, extra="forbid")

    input: _Usd | None = None
    output: _Usd | None = None
    prompt: Annotated[_Usd | None, Field(description="Another name of `input`.")] = None
    completion: Annotated[_Usd | None, Field(description="Another name of `output`.")] = None
    request: Annotated[_Usd | None, Field(description="Always kept: no model costs anything by request.")] = None
    image: Annotated[_Usd | None, Field(description="Always kept: images cost tokens.")] = None


class ProviderPreferences(BaseModel):
    """Which providers may serve the call, and in which order."""

    model_config = ConfigDict(strict=True, extra="allow")

    order: Annotated[_Names | None, Field(description="Providers to try first.")] = None
    only: Annotated[_Names | None, Field(description="The only providers that may serve the call.")] = None
    ignore: Annotated[_Names | None, Field(description="Providers that may not.")] = None
    allow_fallbacks: Annotated[
        bool | None, Field(description="False: none but `order`, or but the first provider.")
    ] = None
    sort: Annotated[Sort | None, Field(description="By what providers are ordered.")] = None
    max_price: MaxPrice | None = None


def preferences_of(given: ProviderPreferences | None, sorts: Mapping[str, Sort]) -> Preferences:
    """The preferences that a request states; `sorts` are those of its models' routing suffixes."""
    if given is None:
        return Preferences(sorts=sorts) if sorts else NO_PREFERENCES
    price = given.max_price or MaxPrice()
    return Preferences(
        order=tuple(dict.fromkeys(given.order or ())),
        only=tuple(given.only or ()),
        ignore=tuple(given.ignore or ()),
        allow_fallbacks=given.allow_fallbacks is not False,
        max_input=_least(price.input, price.prompt),
        max_output=_least(price.output, price.completion),
        sort=given.sort,
        sorts=sorts,
        further=_further(given),
    )


def _further(given: ProviderPreferences) -> Mapping[str, Any]:
    more: Mapping[str, Any] = given.model_extra or {}
    return {name: value for name, value in more.items() if value is not None}


def _least(*amounts: float | None) -> int | None:
    """The lowest of the amounts in micro-credits, rounded down; None without one."""
    given = [int(Decimal(str(amount)) * CREDITS_PER_USD * CREDIT) for amount in amounts if amount is not None]
    return min(given, default=None)
