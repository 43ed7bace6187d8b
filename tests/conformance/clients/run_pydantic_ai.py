"""pydantic-ai: agents over chat completions and messages."""

from harness import Setting, expect, run
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    """A city."""

    city: str
    population: int


def chat(setting: Setting) -> OpenAIChatModel:
    """The model over chat completions."""
    provider = OpenAIProvider(base_url=f"{setting.origin}/v1", api_key=setting.key)
    return OpenAIChatModel(setting.model, provider=provider)


def responses(setting: Setting) -> OpenAIResponsesModel:
    """The model over responses."""
    provider = OpenAIProvider(base_url=f"{setting.origin}/v1", api_key=setting.key)
    return OpenAIResponsesModel(setting.model, provider=provider)


def messages(setting: Setting) -> AnthropicModel:
    """The model over messages."""
    from anthropic import AsyncAnthropic

    sdk = AsyncAnthropic(base_url=setting.origin, api_key=setting.key, max_retries=0)
    profile = ModelProfile(supports_json_schema_output=True)  # by a model's name pydantic-ai knows Claude alone
    return AnthropicModel(setting.model, provider=AnthropicProvider(anthropic_client=sdk), profile=profile)


def scenarios(name, model_of):
    """What an agent does with a model."""

    async def text(setting: Setting) -> None:
        said = await Agent(model_of(setting), system_prompt="Be kind").run("Hello")
        expect("You said: Hello" in said.output, said)

    async def stream(setting: Setting) -> None:
        async with Agent(model_of(setting)).run_stream("Hello there") as run:
            pieces = [piece async for piece in run.stream_text(delta=True)]
        expect("".join(pieces) == "You said: Hello there", pieces)

    async def tools(setting: Setting) -> None:
        agent, called = Agent(model_of(setting)), []

        @agent.tool_plain
        def get_weather(city: str) -> str:
            called.append(city)
            return "sunny"

        said = await agent.run("Call get_weather for the city Pune")
        expect((called, said.output) == (["Pune"], "The tools say: sunny"), said)

    async def structured(setting: Setting) -> None:
        said = await Agent(model_of(setting), output_type=City).run("city: Pune, population: 7")
        expect(said.output == City(city="Pune", population=7), said)

    async def native(setting: Setting) -> None:
        said = await Agent(model_of(setting), output_type=NativeOutput(City)).run("city: Pune, population: 7")
        expect(said.output == City(city="Pune", population=7), said)

    found = {"text": text, "stream": stream, "tools": tools, "structured output": structured, "JSON schema": native}
    return {f"{name}, {each}": scenario for each, scenario in found.items()}


run(
    {**scenarios("chat", chat), **scenarios("responses", responses), **scenarios("messages", messages)},
    ["pydantic-ai-slim", "openai", "anthropic"],
)
