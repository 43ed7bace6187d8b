"""Instructor: structured output by tools and by JSON schemas, over both SDKs."""

import anthropic
import instructor
import openai
from harness import Setting, expect, run
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    city: str
    population: int


ASKED = [{"role": "user", "content": "city: Pune, population: 7"}]


def over_openai(mode: instructor.Mode):
    """A scenario over chat completions."""

    def scenario(setting: Setting) -> None:
        sdk = openai.OpenAI(base_url=f"{setting.origin}/v1", api_key=setting.key, max_retries=0)
        made = instructor.from_openai(sdk, mode=mode).create(
            model=setting.model, response_model=City, messages=ASKED, max_retries=0
        )
        expect((made.city, made.population) == ("Pune", 7), made)

    return scenario


def over_anthropic(mode: instructor.Mode):
    """A scenario over messages."""

    def scenario(setting: Setting) -> None:
        sdk = anthropic.Anthropic(base_url=setting.origin, api_key=setting.key, max_retries=0)
        made = instructor.from_anthropic(sdk, mode=mode).create(
            model=setting.model, response_model=City, messages=ASKED, max_tokens=1000, max_retries=0
        )
        expect((made.city, made.population) == ("Pune", 7), made)

    return scenario


def streamed(setting: Setting) -> None:
    sdk = openai.OpenAI(base_url=f"{setting.origin}/v1", api_key=setting.key, max_retries=0)
    parts = instructor.from_openai(sdk).create_partial(
        model=setting.model, response_model=City, messages=ASKED, max_retries=0
    )
    *_, last = parts
    expect((last.city, last.population) == ("Pune", 7), last)


run(
    {
        "chat, tools": over_openai(instructor.Mode.TOOLS),
        "chat, strict tools": over_openai(instructor.Mode.TOOLS_STRICT),
        "chat, JSON schema": over_openai(instructor.Mode.JSON_SCHEMA),
        "chat, streamed": streamed,
        "messages, tools": over_anthropic(instructor.Mode.ANTHROPIC_TOOLS),
    },
    ["instructor", "openai", "anthropic"],
)
