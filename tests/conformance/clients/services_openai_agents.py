"""OpenAI's Agents SDK, beyond text: its pipeline of speech to text, an agent, and text to speech."""

import numpy as np
from agents import Agent, OpenAIChatCompletionsModel, set_tracing_disabled
from agents.voice import AudioInput, SingleAgentVoiceWorkflow, VoicePipeline, VoicePipelineConfig
from agents.voice.models.openai_model_provider import OpenAIVoiceModelProvider
from harness import Setting, expect, run
from openai import AsyncOpenAI

set_tracing_disabled(True)

RATE = 24_000


async def pipeline(setting: Setting) -> None:
    """What was said is heard, answered and spoken."""
    client = AsyncOpenAI(base_url=f"{setting.origin}/v1", api_key=setting.key, max_retries=0)
    agent = Agent("Voice", model=OpenAIChatCompletionsModel(setting.model, client))
    config = VoicePipelineConfig(model_provider=OpenAIVoiceModelProvider(openai_client=client))
    workflow = SingleAgentVoiceWorkflow(agent)
    voice = VoicePipeline(workflow=workflow, stt_model="gpt-4o-transcribe", tts_model="gpt-4o-mini-tts", config=config)
    tone = (np.sin(np.arange(RATE) / 20) * 8_000).astype(np.int16)

    events = [event async for event in (await voice.run(AudioInput(tone, frame_rate=RATE))).stream()]

    errors = [event.error for event in events if event.type == "voice_stream_event_error"]
    spoken = sum(len(event.data) for event in events if event.type == "voice_stream_event_audio")
    expect(not errors and spoken > RATE // 4, errors or spoken)


if __name__ == "__main__":
    run({"speech: pipeline": pipeline}, ["openai-agents"])
