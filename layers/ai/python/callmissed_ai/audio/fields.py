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
