"""Fields of transcriptions that are one provider's own."""

DEEPGRAM_SWITCHES = (
    "paragraphs",
    "numerals",
    "measurements",
    "dictation",
    "profanity_filter",
    "filler_words",
    "multichannel",
    "detect_entities",
)
"""Those that are on or off."""

DEEPGRAM_VALUES = ("utt_split", "redact", "keyterm", "keywords", "search", "replace")
"""Those with a value, or several."""

DEEPGRAM_FIELDS = ("utterances", "detect_language", *DEEPGRAM_SWITCHES, *DEEPGRAM_VALUES)
"""Fields that only Deepgram's models have, beside `diarize`."""

ADD_ONS = ("diarize", "detect_entities", "keyterm", "redact")
"""Fields that Deepgram charges for by the minute, beside the audio. https://deepgram.com/pricing

They go to providers that have them in `unpriced_fields`: Cloudflare has one price for Nova with all of them.
https://developers.cloudflare.com/workers-ai/platform/pricing/#audio-model-pricing
"""
