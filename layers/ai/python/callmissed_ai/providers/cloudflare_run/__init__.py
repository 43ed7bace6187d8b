"""Cloudflare Workers AI: models with inputs and outputs of their own. https://developers.cloudflare.com/workers-ai"""

from callmissed_ai.providers.by_path import ApiByPath
from callmissed_ai.providers.cloudflare_run import images, speech
from callmissed_ai.providers.cloudflare_run.transcription import CloudflareTranscription
from callmissed_ai.transports.paths import IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS

_TRANSCRIPTION = CloudflareTranscription()

API = ApiByPath({IMAGES: images.API, SPEECH: speech.API, TRANSCRIPTIONS: _TRANSCRIPTION, TRANSLATIONS: _TRANSCRIPTION})
