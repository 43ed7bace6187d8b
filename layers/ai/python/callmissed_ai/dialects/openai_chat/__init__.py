"""The OpenAI chat completions dialect. https://platform.openai.com/docs/api-reference/chat"""
