"""Sarvam: speech of Indian languages. https://docs.sarvam.ai"""

from callmissed_ai.providers.by_path import ApiByPath

API = ApiByPath({})
