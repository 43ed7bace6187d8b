"""Sarvam: speech of Indian languages. https://docs.sarvam.ai"""

from callmissed_ai.providers.by_path import ApiByPath
from callmissed_ai.providers.sarvam_speech import speech
from callmissed_ai.providers.sarvam_speech.transcription import SarvamTranscription
from callmissed_ai.transports.paths import SPEECH, TRANSCRIPTIONS, TRANSLATIONS

_TRANSCRIPTION = SarvamTranscription()

API = ApiByPath({SPEECH: speech.API, TRANSCRIPTIONS: _TRANSCRIPTION, TRANSLATIONS: _TRANSCRIPTION})
