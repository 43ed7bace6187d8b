"""OpenAI's Agents SDK: agents over chat completions."""

import openai
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from harness import Setting, expect, run
from pydantic import BaseModel

set_tracing_disabled(True)


class City(BaseModel):
    """A city."""

    city: str
    population: int


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat(setting: Setting) -> OpenAIChatCompletionsModel:
    """The model over chat completions."""
    return OpenAIChatCompletionsModel(setting.model, client(setting))


def responses(setting: Setting) -> OpenAIResponsesModel:
    """The model over responses."""
    return OpenAIResponsesModel(setting.model, client(setting))


def client(setting: Setting) -> openai.AsyncOpenAI:
    """A client of the API that retries nothing."""
    return openai.AsyncOpenAI(base_url=f"{setting.origin}/v1", api_key=setting.key, max_retries=0)


def scenarios(name, model_of):
    """What an agent does with a model."""

    async def text(setting: Setting) -> None:
        said = await Runner.run(Agent(name="a", instructions="Be kind", model=model_of(setting)), "Hello")
        expect(said.final_output == "You said: Hello My instructions are: Be kind", said.final_output)

    async def stream(setting: Setting) -> None:
        running = Runner.run_streamed(Agent(name="a", model=model_of(setting)), "Hello")
        async for _event in running.stream_events():
            pass
        expect(running.final_output == "You said: Hello", running.final_output)

    async def tools(setting: Setting) -> None:
        agent = Agent(name="a", model=model_of(setting), tools=[get_weather])
        said = await Runner.run(agent, "Call get_weather for the city Pune")
        expect(said.final_output == "The tools say: sunny in Pune", said.final_output)

    async def structured(setting: Setting) -> None:
        agent = Agent(name="a", model=model_of(setting), output_type=City)
        said = await Runner.run(agent, "city: Pune, population: 7")
        expect(said.final_output == City(city="Pune", population=7), said.final_output)

    found = {"text": text, "stream": stream, "tools": tools, "structured output": structured}
    return {f"{name}, {each}": scenario for each, scenario in found.items()}


run({**scenarios("chat", chat), **scenarios("responses", responses)}, ["openai-agents", "openai"])
