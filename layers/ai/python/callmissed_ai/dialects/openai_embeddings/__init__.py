"""The OpenAI embeddings dialect. https://platform.openai.com/docs/api-reference/embeddings"""
