"""What the tokenizer is given to read."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken


@dataclass(slots=True)
class Tokenizer:
    """Takes the place of `encoding`, and keeps how many characters each call had."""

    encoding: "tiktoken.Encoding"
    pieces: list[int] = field(default_factory=list[int])

    @property
    def characters(self) -> int:
        return sum(self.pieces)

    def encode_ordinary(self, text: str) -> list[int]:
        self.pieces.append(len(text))
        return self.encoding.encode_ordinary(text)
