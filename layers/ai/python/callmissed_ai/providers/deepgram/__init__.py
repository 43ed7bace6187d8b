"""Deepgram: speech in and out. https://developers.deepgram.com"""

from callmissed_ai.providers.by_path import ApiByPath
from callmissed_ai.providers.deepgram.transcription import DeepgramTranscription
from callmissed_ai.transports.paths import TRANSCRIPTIONS

API = ApiByPath({TRANSCRIPTIONS: DeepgramTranscription()})
