"""What a call costs: lines of unit, quantity and price, each with the denominator of its unit.

Tokens are priced per 1,000,000, audio milliseconds per 3,600,000 (an hour), characters per 10,000, images and searches
per 1. The cost is the sum of the lines as one exact fraction, rounded half up once (`callmissed.money`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callmissed import money
from callmissed.catalog.model import Model, Price, UnitName
from callmissed.ledger.entries import UsageLine
from callmissed.money import MicroCredits
from callmissed_ai.tokens.usage import TokenUsage

PER_TOKENS = 1_000_000

INPUT_TOKENS = "input_tokens"
CACHED_INPUT_TOKENS = "cached_input_tokens"
CACHE_WRITE_TOKENS = "cache_write_tokens"
INPUT_UNITS = (INPUT_TOKENS, CACHED_INPUT_TOKENS, CACHE_WRITE_TOKENS)
"""Units of the lines that make up the prompt."""

OUTPUT_TOKENS = "output_tokens"

COUNTED: Mapping[UnitName, tuple[str, int]] = {
    "audio_hour": ("audio_milliseconds", 3_600_000),
    "10k_characters": ("characters", 10_000),
    "image": ("images", 1),
    "search": ("searches", 1),
}
"""What is counted of each unit that has a price, and how many make up the unit."""


@dataclass(frozen=True, slots=True)
class Charges:
    """The lines of one call. `estimated` says that the provider reported no usage and we counted.

    `counted` are the tokens then, where it is tokens that are charged: the caller is shown the same.
    """

    lines: Sequence[UsageLine]
    estimated: bool = False
    counted: TokenUsage | None = None

    @property
    def cost(self) -> MicroCredits:
        """Micro-credits."""
        return money.cost(*((line.quantity, line.price, line.per) for line in self.lines))


def token_charges(model: Model, used: TokenUsage) -> Charges:
    """Charges for `used` tokens of `model`. Raises ValueError for a model without token prices.

    Tokens written to a cache are a line of their own, at the price of input where they have none.
    """
    price = token_price(model)
    cached = 0 if price.cached_input is None else used.cached
    lines = [
        UsageLine(INPUT_TOKENS, used.input - cached - used.cache_write, price.input, PER_TOKENS),
        UsageLine(OUTPUT_TOKENS, used.output, price.output, PER_TOKENS),
    ]
    if price.cached_input is not None:
        lines.append(UsageLine(CACHED_INPUT_TOKENS, cached, price.cached_input, PER_TOKENS))
    if used.cache_write:
        written = price.input if price.cache_write is None else price.cache_write
        lines.append(UsageLine(CACHE_WRITE_TOKENS, used.cache_write, written, PER_TOKENS))
    return Charges(lines, used.estimated, used if used.estimated else None)


def input_charges(model: Model, tokens: int, *, estimated: bool) -> Charges:
    """Charges for a model that only reads. Raises ValueError as `token_charges` does."""
    return Charges([UsageLine(INPUT_TOKENS, tokens, token_price(model).input, PER_TOKENS)], estimated)


def max_input_cost(model: Model, tokens: int) -> MicroCredits:
    """Micro-credits that reading so many tokens costs at most. Raises ValueError as `token_charges` does."""
    return money.ceiling((tokens, token_price(model).input, PER_TOKENS))


def max_token_cost(model: Model, input_tokens: int, output_tokens: int) -> MicroCredits:
    """Micro-credits that no call within these limits costs more than. Raises ValueError as `token_charges` does."""
    price = token_price(model)
    read = min(input_tokens, model.context_window or input_tokens)
    return money.ceiling((read, price.dearest_input, PER_TOKENS), (output_tokens, price.output, PER_TOKENS))


def unit_charges(model: Model, quantity: int) -> Charges:
    """Charges for so many of what the model's price counts: `COUNTED`. Raises ValueError without such a price."""
    return Charges([_unit_line(model, quantity)])


def max_unit_cost(model: Model, quantity: int) -> MicroCredits:
    """Micro-credits that no call of at most `quantity` costs more than. Raises ValueError as `unit_charges` does."""
    line = _unit_line(model, quantity)
    return money.ceiling((line.quantity, line.price, line.per))


def _unit_line(model: Model, quantity: int) -> UsageLine:
    price = model.unit_price
    if price is None or price.unit not in COUNTED:
        raise ValueError(f"'{model.id}' has no unit price")
    counted, per = COUNTED[price.unit]
    return UsageLine(counted, quantity, price.amount, per)


def token_price(model: Model) -> Price:
    """The model's prices of tokens. Raises ValueError where it has none."""
    if model.price is None:
        raise ValueError(f"'{model.id}' has no token price")
    return model.price
