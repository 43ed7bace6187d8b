"""Transcription and translation of speech: billed by the length of the audio, the same in every format of answers."""
