"""Deepgram: speech in and out. https://developers.deepgram.com"""

from callmissed_ai.providers.by_path import ApiByPath
from callmissed_ai.providers.deepgram import speech
from callmissed_ai.providers.deepgram.transcription import DeepgramTranscription
from callmissed_ai.transports.paths import SPEECH, TRANSCRIPTIONS

API = ApiByPath({SPEECH: speech.API, TRANSCRIPTIONS: DeepgramTranscription()})
