"""Paths of the services' neutral calls: OpenAI's, below a provider's base URL."""

from typing import Final

SPEECH: Final = "/audio/speech"
TRANSCRIPTIONS: Final = "/audio/transcriptions"
TRANSLATIONS: Final = "/audio/translations"
IMAGES: Final = "/images/generations"
