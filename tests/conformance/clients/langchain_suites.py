"""LangChain's standard tests of its chat models, for `run_langchain.py`, which sets the environment's variables."""

import base64
import os
from typing import Any

import httpx
from harness import PNG
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

httpx.get = lambda *_, **__: httpx.Response(200, content=base64.b64decode(PNG))  # the tests load a picture from the web


class TestChatOpenAI(ChatModelIntegrationTests):
    """`ChatOpenAI` with chat completions."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        """The class under test."""
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Where it calls."""
        return {
            "base_url": f"{os.environ['CLIENT_ORIGIN']}/v1",
            "api_key": os.environ["CLIENT_KEY"],
            "model": os.environ["CLIENT_MODEL"],
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def supports_image_inputs(self) -> bool:
        """Whether models see."""
        return True

    @property
    def supports_json_mode(self) -> bool:
        """Whether there is a JSON mode, which Anthropic's models lack."""
        return os.environ["CLIENT_MODEL"] == "via-chat"

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        """How structured output is asked for."""
        return {"method": "function_calling"}


class TestChatOpenAIResponses(TestChatOpenAI):
    """`ChatOpenAI` with responses."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Where it calls."""
        return {**super().chat_model_params, "use_responses_api": True, "store": False}


class TestChatAnthropic(ChatModelIntegrationTests):
    """`ChatAnthropic`."""

    @property
    def chat_model_class(self) -> type[ChatAnthropic]:
        """The class under test."""
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Where it calls."""
        return {
            "base_url": os.environ["CLIENT_ORIGIN"],
            "api_key": os.environ["CLIENT_KEY"],
            "model": os.environ["CLIENT_MODEL"],
            "max_retries": 0,
        }

    @property
    def supports_image_inputs(self) -> bool:
        """Whether models see."""
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        """Whether a tool's result may hold an image."""
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        """Whether Anthropic's blocks may be sent."""
        return True
