"""The page of compatibility names every field of the services beyond text."""

import pytest
from pydantic import BaseModel

from callmissed_ai.dialects.openai_embeddings.request import EmbeddingsRequest
from callmissed_ai.dialects.openai_images.request import ImagesRequest
from callmissed_ai.services.search.request import SearchRequest
from callmissed_ai.services.speech.request import SpeechRequest
from callmissed_ai.services.transcription.request import TranscriptionRequest
from local.paths import ROOT

TABLES = {
    "embeddings": EmbeddingsRequest,
    "speech": SpeechRequest,
    "transcriptions and translations": TranscriptionRequest,
    "images": ImagesRequest,
    "search": SearchRequest,
}


@pytest.mark.parametrize("name", TABLES)
def test_page_names_every_field(name: str) -> None:
    model: type[BaseModel] = TABLES[name]
    table = (ROOT / "docs" / "compatibility.md").read_text().partition(f"\n| {name} | |\n")[2].partition("\n\n")[0]

    assert [field for field in model.model_fields if f"`{field}" not in table] == []
