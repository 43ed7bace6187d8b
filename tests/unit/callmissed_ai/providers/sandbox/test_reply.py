import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callmissed_ai.providers.sandbox import tokens

SYSTEM = {"role": "system", "content": "Answer as a pirate."}


async def test_says_what_it_is_and_what_it_understood(sandbox):
    messages = [SYSTEM, {"role": "user", "content": "Where is my order 4711?"}]
    reply = await sandbox.ask(messages=messages)
    text = reply["choices"][0]["message"]["content"]
    for part in ("CallMissed sandbox", "2 messages", "“Where is my order 4711?”", "5 words", "“Answer as a pirate.”"):
        assert part in text


async def test_the_frame_of_the_reply(sandbox):
    reply = await sandbox.ask()
    assert reply["id"].startswith("chatcmpl-")
    assert reply["object"] == "chat.completion"
    assert reply["created"] == 1_700_000_000
    assert reply["model"] == "lab-chat"
    assert reply["system_fingerprint"] == "sandbox"
    (choice,) = reply["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert choice["message"] == {
        "role": "assistant",
        "content": choice["message"]["content"],
        "refusal": None,
        "annotations": [],
    }


async def test_same_body_same_reply_other_body_other_id(sandbox):
    first, again = await sandbox.ask("Hi"), await sandbox.ask("Hi")
    assert first == again
    assert (await sandbox.ask("Hi", temperature=0.5))["id"] != first["id"]
    assert (await sandbox.ask("Ho"))["id"] != first["id"]


async def test_parameters_of_sampling_keep_the_words(sandbox):
    plain = await sandbox.ask("Hi")
    hot = await sandbox.ask("Hi", temperature=2, top_p=0.1, user="u1", presence_penalty=-2)
    assert plain["choices"] == hot["choices"]


async def test_usage_counts_the_sandboxs_own_tokens(sandbox):
    messages = [SYSTEM, {"role": "user", "content": "Hi, you!"}]
    reply = await sandbox.ask(messages=messages)
    text = reply["choices"][0]["message"]["content"]
    usage = reply["usage"]
    assert usage["prompt_tokens"] == 5 + 4
    assert usage["completion_tokens"] == tokens.count(text)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [1, 7, 20])
async def test_a_limit_cuts_the_reply_to_its_first_tokens(sandbox, field, limit):
    whole = (await sandbox.ask())["choices"][0]["message"]["content"]
    reply = await sandbox.ask(**{field: limit})
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] == "".join(tokens.split(whole)[:limit])
    assert reply["usage"]["completion_tokens"] == limit


async def test_a_limit_that_is_not_reached_changes_nothing(sandbox):
    whole = await sandbox.ask()
    exact = await sandbox.ask(max_tokens=whole["usage"]["completion_tokens"])
    assert exact["choices"] == whole["choices"]


@pytest.mark.parametrize("stop", ["CallMissed", ["nowhere to be found", "CallMissed"], ["sandbox", "CallMissed"]])
async def test_stops_before_a_stop_sequence(sandbox, stop):
    whole = (await sandbox.ask())["choices"][0]["message"]["content"]
    (choice,) = (await sandbox.ask(stop=stop))["choices"]
    assert choice["message"]["content"] == whole[: whole.index("CallMissed")]
    assert choice["finish_reason"] == "stop"


async def test_a_stop_sequence_beyond_the_limit_is_not_reached(sandbox):
    (choice,) = (await sandbox.ask(stop="sandbox", max_tokens=1))["choices"]
    assert choice["finish_reason"] == "length"


async def test_n_choices_differ_and_all_are_counted(sandbox):
    reply = await sandbox.ask(n=5)
    texts = [choice["message"]["content"] for choice in reply["choices"]]
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3, 4]
    assert len(set(texts)) == 5
    assert reply["usage"]["completion_tokens"] == sum(map(tokens.count, texts))


async def test_the_seed_changes_the_words(sandbox):
    texts = {(await sandbox.ask(seed=seed))["choices"][0]["message"]["content"] for seed in range(6)}
    assert len(texts) == 6
    assert (await sandbox.ask(seed=-3))["choices"] == (await sandbox.ask(seed=-3))["choices"]


async def test_logprobs_name_every_token_as_certain(sandbox):
    (choice,) = (await sandbox.ask(logprobs=True, top_logprobs=3, max_tokens=4))["choices"]
    entries = choice["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == tokens.split(choice["message"]["content"])
    assert all(entry["logprob"] == 0.0 for entry in entries)
    assert bytes(entries[0]["bytes"]).decode() == entries[0]["token"]
    assert [best["token"] for best in entries[0]["top_logprobs"]] == [entries[0]["token"]]


@pytest.mark.parametrize("asked", [{"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}])
async def test_shows_its_thinking_when_asked(sandbox, asked):
    reply = await sandbox.ask(**asked)
    message = reply["choices"][0]["message"]
    assert "fixed rules" in message["reasoning_content"]
    thought = tokens.count(message["reasoning_content"])
    assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] == thought
    assert reply["usage"]["completion_tokens"] == thought + tokens.count(message["content"])
    medium = (await sandbox.ask(reasoning_effort="medium"))["choices"][0]["message"]
    assert 0 < tokens.count(medium["reasoning_content"]) < thought


@pytest.mark.parametrize("effort", ["none", "minimal", "low"])
async def test_little_effort_shows_no_thinking(sandbox, effort):
    assert "reasoning_content" not in (await sandbox.ask(reasoning_effort=effort))["choices"][0]["message"]


async def test_thinking_takes_from_the_limit(sandbox):
    reply = await sandbox.ask(reasoning_effort="medium", max_completion_tokens=10)
    (choice,) = reply["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert reply["usage"]["completion_tokens"] == 10
    short = await sandbox.ask(reasoning={"max_tokens": 5})
    assert short["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5


async def test_a_json_object_on_request(sandbox):
    reply = await sandbox.ask("Say hi in JSON", response_format={"type": "json_object"})
    found = json.loads(reply["choices"][0]["message"]["content"])
    assert found["sandbox"] is True
    assert found["last_user_message"] == "Say hi in JSON"


async def test_a_conversation_without_a_user(sandbox):
    text = (await sandbox.ask(messages=[SYSTEM]))["choices"][0]["message"]["content"]
    assert "the user says nothing in words" in text


async def test_ten_thousand_messages(sandbox):
    messages = [{"role": "user", "content": "word"}] * 10_000
    reply = await sandbox.ask(messages=messages)
    assert reply["usage"]["prompt_tokens"] == 10_000
    assert "10,000 messages" in reply["choices"][0]["message"]["content"]


async def test_half_a_surrogate_pair_is_refused(sandbox):
    assert "surrogate" in (await sandbox.refusal("a\ud800b"))["message"]


@given(text=st.text(), limit=st.integers(0, 30))
def test_tokens_make_up_the_text_and_are_at_most_its_bytes(text, limit):
    parts = tokens.split(text)
    assert "".join(parts) == text
    assert len(parts) <= len(text.encode("utf-8", "surrogatepass"))
    assert tokens.count(tokens.clip(text, limit)) <= limit
    assert text.startswith(tokens.clip(text, limit))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(), min_size=1, max_size=4),
    name=st.text(alphabet="abc_", min_size=1, max_size=10),
    description=st.text(),
)
async def test_prompt_tokens_are_at_most_the_bytes_of_the_prompt(sandbox, texts, name, description):
    function = {"name": name, "description": description, "parameters": {"type": "object", "properties": {}}}
    messages = [{"role": "user", "content": text, "name": name} for text in texts]
    tools = [{"type": "function", "function": function}]
    status, _, content = await sandbox.raw({"model": "m", "messages": messages, "tools": tools, "tool_choice": "none"})
    size = len(json.dumps([messages, tools], ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert status == 200 or "sandbox:" in texts[-1]
    assert json.loads(content)["usage"]["prompt_tokens"] <= size


async def test_thinking_is_signed_and_refused_when_it_comes_back_changed(sandbox):
    message = (await sandbox.ask(reasoning_effort="high"))["choices"][0]["message"]
    (detail,) = message["reasoning_details"]
    assert detail["text"] == message["reasoning_content"]
    answer = {"role": "assistant", "content": "Yes", "reasoning_details": [detail]}
    user = {"role": "user", "content": "Hi"}
    await sandbox.ask(messages=[user, answer, user])

    for changed in ({"text": "x"}, {"signature": "x"}, {"signature": None}):
        wrong = answer | {"reasoning_details": [detail | changed]}
        error = await sandbox.refusal(messages=[user, wrong, user])
        assert (error["param"], error["code"]) == (
            "messages[1].reasoning_details[0].signature",
            "invalid_signature",
        )


async def test_thoughts_of_others_are_not_checked(sandbox):
    detail = {"type": "reasoning.text", "text": "x", "signature": "y", "format": "anthropic-claude-v1"}
    answer = {"role": "assistant", "content": "Yes", "reasoning_details": [detail]}
    await sandbox.ask(messages=[answer, {"role": "user", "content": "Hi"}])


async def test_a_marked_prompt_is_written_to_the_cache_and_read_in_the_next_turn(sandbox):
    marked = {"role": "user", "content": [{"type": "text", "text": "a b c d", "cache_control": {"type": "ephemeral"}}]}
    user = {"role": "user", "content": "Hi"}
    first = (await sandbox.ask(messages=[marked]))["usage"]["prompt_tokens_details"]
    later = (await sandbox.ask(messages=[marked, {"role": "assistant", "content": "Yes"}, user]))["usage"]

    assert (first["cached_tokens"], first["cache_write_tokens"]) == (0, 4)
    assert later["prompt_tokens_details"] == {"cached_tokens": 4, "audio_tokens": 0}


async def test_a_prompt_without_marks_is_cached_on_request(sandbox):
    plain, again = [(await sandbox.ask(prompt))["usage"] for prompt in ("a b c", "sandbox:cached a b c")]

    assert plain["prompt_tokens_details"] == {"cached_tokens": 0, "audio_tokens": 0}
    assert again["prompt_tokens_details"]["cached_tokens"] == again["prompt_tokens"] - 1
