"""An embeddings request: its validation, and an upper bound of its tokens.

https://platform.openai.com/docs/api-reference/embeddings/create. Other fields need a provider's row that admits them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from callmissed.catalog.model import MAX_DIMENSIONS
from callmissed.errors import invalid_request
from callmissed_ai.dialects.further_fields import FurtherField, further_fields, shape

PATH = "/embeddings"
MAX_INPUTS = 128
MAX_INPUT_TOKENS = 8_192
MAX_CHARACTERS = 100_000
"""Maximum for all inputs together."""

_TOKENS_AROUND_AN_INPUT = 8
"""Room for tokens that a model adds to each input, such as one at its start and one at its end."""

InputType = Literal["query", "passage", "search_query", "search_document"]
"""What the inputs are: questions or documents, in the words of E5 and in those of Cohere."""

QUERIES = frozenset({"query", "search_query"})

_TokenId = Annotated[int, Field(ge=0, lt=2**31)]
_Tokens = Annotated[list[_TokenId], Field(min_length=1, max_length=MAX_INPUT_TOKENS)]
_Text = Annotated[str, Field(min_length=1)]


def _input_kind(value: object) -> str:
    """The kind of input, by its first element: an empty list is one of texts, which must not be empty."""
    if isinstance(value, str):
        return "<text>"
    first: object = value[0] if isinstance(value, list) and value else ""  # pyright: ignore[reportUnknownVariableType]
    if isinstance(first, list):
        return "<token_lists>"
    return "<texts>" if isinstance(first, str) or not isinstance(value, list) else "<tokens>"


_Input = Annotated[
    Annotated[_Text, Tag("<text>")]
    | Annotated[list[_Text], Field(min_length=1, max_length=MAX_INPUTS), Tag("<texts>")]
    | Annotated[_Tokens, Tag("<tokens>")]
    | Annotated[list[_Tokens], Field(max_length=MAX_INPUTS), Tag("<token_lists>")],
    Discriminator(_input_kind),
]


class EmbeddingsRequest(BaseModel):
    """An embeddings request. `input` is a text, up to 128 texts, the tokens of one, or those of up to 128."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(min_length=1, max_length=200, description="Id of an embedding model from `GET /v1/models`.")
    input: _Input
    encoding_format: Annotated[Literal["float", "base64"], Field(description="`base64` is little-endian float32.")] = (
        "float"
    )
    dimensions: Annotated[int, Field(ge=1, le=MAX_DIMENSIONS, description="At most the model's own.")] | None = None
    user: Annotated[str, Field(max_length=256)] | None = None
    input_type: (
        Annotated[InputType, Field(description="Of models that distinguish questions from documents; 400 for others.")]
        | None
    ) = None

    @property
    def is_query(self) -> bool:
        """Whether the inputs are questions, which are looked for among documents."""
        return self.input_type in QUERIES

    @property
    def inputs(self) -> Sequence[str | list[int]]:
        """The single inputs, each a text or a list of tokens."""
        if isinstance(self.input, str):
            return [self.input]
        return [self.input] if isinstance(self.input[0], int) else self.input  # pyright: ignore[reportReturnType]

    def max_tokens(self, window: int | None) -> int:
        """Upper bound of the tokens, for a model that reads at most `window` of each input.

        A byte-level tokenizer makes at most one token of a byte.
        """
        lengths = [len(each.encode()) if isinstance(each, str) else len(each) for each in self.inputs]
        return sum(min(length, window or length) + _TOKENS_AROUND_AN_INPUT for length in lengths)


_KNOWN = shape(free=EmbeddingsRequest.model_fields.keys() - {"input_type"})


def without_nulls(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` without the fields that are null, which is the same as no value."""
    return {name: value for name, value in body.items() if value is not None}


def further_embeddings_fields(body: Mapping[str, Any]) -> Iterator[FurtherField]:
    """The fields of a valid request that not every provider may get."""
    return further_fields(body, _KNOWN)


def parse_embeddings(body: Mapping[str, Any]) -> EmbeddingsRequest:
    """The request in `body`. Raises ApiError 400 naming the first field that is wrong."""
    try:
        request = EmbeddingsRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"] if not str(part).startswith("<"))
        raise invalid_request(f"Invalid '{path}': {first['msg']}.", param=path) from None
    if sum(len(text) for text in request.inputs if isinstance(text, str)) > MAX_CHARACTERS:
        raise invalid_request(f"Invalid 'input': more than {MAX_CHARACTERS:,} characters in all.", "input")
    return request
