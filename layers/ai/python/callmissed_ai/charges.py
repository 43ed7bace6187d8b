"""What a call costs: lines of unit, quantity and price, each with the denominator of its unit.

Tokens are priced per 1,000,000, audio milliseconds per 3,600,000 (an hour), characters per 10,000, images and searches
per 1. The cost is the sum of the lines as one exact fraction, rounded half up once (`callmissed.money`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed import money
from callmissed.catalog.model import Model, Price
from callmissed.ledger.entries import UsageLine
from callmissed.money import MicroCredits
from callmissed_ai.tokens.usage import TokenUsage

PER_TOKENS = 1_000_000
PER_AUDIO_MILLISECONDS = 3_600_000
PER_CHARACTERS = 10_000
PER_ONE = 1
"""The denominator of images and of searches."""

INPUT_TOKENS = "input_tokens"
CACHED_INPUT_TOKENS = "cached_input_tokens"
CACHE_WRITE_TOKENS = "cache_write_tokens"
INPUT_UNITS = (INPUT_TOKENS, CACHED_INPUT_TOKENS, CACHE_WRITE_TOKENS)
"""Units of the lines that make up the prompt."""

OUTPUT_TOKENS = "output_tokens"


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


def token_price(model: Model) -> Price:
    """The model's prices of tokens. Raises ValueError where it has none."""
    if model.price is None:
        raise ValueError(f"'{model.id}' has no token price")
    return model.price
