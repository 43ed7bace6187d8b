"""Cloudflare Workers AI: models with inputs and outputs of their own. https://developers.cloudflare.com/workers-ai"""

from callmissed_ai.providers.by_path import ApiByPath

API = ApiByPath({})
