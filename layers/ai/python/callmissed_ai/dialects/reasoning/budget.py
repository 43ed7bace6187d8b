"""Budgets for thinking, in tokens of the reply."""

MIN_BUDGET = 1_024
"""The smallest budget that Anthropic accepts; a smaller one means this one, as it does at OpenRouter."""
