"""The OpenAI responses dialect. https://platform.openai.com/docs/api-reference/responses"""
