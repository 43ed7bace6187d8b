"""What translated requests are for."""

from typing import Any

from callmissed.catalog.model import Category, Model
from callmissed.catalog.prices import token_price
from callmissed_ai.dialects.dialect import Target


def target(
    upstream_id: str = "upstream", *, model_id: str = "m", cache_write: int | None = None, **more: Any
) -> Target:
    """A model with that id upstream, whose writes to a cache cost what is given; `more` as in its row."""
    price = token_price(50, 150, cache_write=cache_write)
    model = Model(id=model_id, name="M", category=Category.LLM, routes=(), max_output_tokens=4_000, price=price, **more)
    return Target(model, upstream_id, 4_000)
