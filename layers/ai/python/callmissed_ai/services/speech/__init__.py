"""Speech as a billed service: text to audio, by the code points of the text."""
