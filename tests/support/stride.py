"""How many of a long walk's steps a run takes: with STEP_STRIDE=1, as in `make soak NAME=steps`, all of them."""

import os
import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

Step = TypeVar("Step")
_STRIDE = int(os.environ.get("STEP_STRIDE", "3"))


def some(steps: Sequence[Step]) -> Iterator[Step]:
    """Each third step, from a random one of the first three: many runs take all. A failure has to name its step."""
    yield from steps[random.randrange(min(_STRIDE, len(steps))) :: _STRIDE]
