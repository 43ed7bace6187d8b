"""Fields of transcriptions that are one provider's own."""

DEEPGRAM_FIELDS = (
    "utterances",
    "utt_split",
    "paragraphs",
    "numerals",
    "measurements",
    "dictation",
    "profanity_filter",
    "filler_words",
    "multichannel",
    "detect_entities",
    "detect_language",
    "redact",
    "keyterm",
    "keywords",
    "search",
    "replace",
)
"""Fields that only Deepgram's models have, beside `diarize`."""

ADD_ONS = ("diarize", "detect_entities", "keyterm", "redact")
"""Fields that Deepgram charges for by the minute, beside the audio. https://deepgram.com/pricing

They go to providers that have them in `unpriced_fields`: Cloudflare has one price for Nova with all of them.
https://developers.cloudflare.com/workers-ai/platform/pricing/#audio-model-pricing
"""
