"""Sarvam: speech of Indian languages. https://docs.sarvam.ai"""

from callmissed_ai.providers.by_path import ApiByPath
from callmissed_ai.providers.sarvam_speech.transcription import SarvamTranscription
from callmissed_ai.transports.paths import TRANSCRIPTIONS, TRANSLATIONS

_TRANSCRIPTION = SarvamTranscription()

API = ApiByPath({TRANSCRIPTIONS: _TRANSCRIPTION, TRANSLATIONS: _TRANSCRIPTION})
