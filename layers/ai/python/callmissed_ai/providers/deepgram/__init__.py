"""Deepgram: speech in and out. https://developers.deepgram.com"""

from callmissed_ai.providers.by_path import ApiByPath

API = ApiByPath({})
