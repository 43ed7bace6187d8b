// The Anthropic SDK for Node: messages.
import Anthropic from "@anthropic-ai/sdk";
import { expect, PNG, run, WEATHER } from "./harness.mjs";

const TOOL = { name: "get_weather", input_schema: WEATHER };
const TIME = { name: "get_time", input_schema: WEATHER };
const CITY = { role: "user", content: "Call get_weather for the city Pune" };
const THINKING = { thinking: { type: "enabled", budget_tokens: 2000 }, max_tokens: 4000 };

const user = (content) => ({ role: "user", content });
const client = ({ origin, key }) => new Anthropic({ baseURL: origin, apiKey: key, maxRetries: 0 });
const asked = (setting, messages, more) => ({ model: setting.model, max_tokens: 1000, messages, ...more });
const create = (setting, messages, more = {}) => client(setting).messages.create(asked(setting, messages, more));
const streamed = (setting, messages, more = {}) =>
  client(setting).messages.stream(asked(setting, messages, more)).finalMessage();
const answer = ({ content }) => ({ role: "assistant", content });
const results = ({ content }) => ({
  role: "user",
  content: content
    .filter((block) => block.type === "tool_use")
    .map((call) => ({ type: "tool_result", tool_use_id: call.id, content: call.name })),
});

async function text(setting) {
  const message = await create(setting, [user("Hello")], { system: "Be kind" });
  expect(message.content[0].text === "You said: Hello My instructions are: Be kind", message);
  expect(message._request_id, message);
}

async function stream(setting) {
  const message = await streamed(setting, [user("Hello")]);
  expect(message.content[0].text === "You said: Hello" && message.stop_reason === "end_turn", message);
}

async function tools(setting) {
  const first = await create(setting, [CITY], { tools: [TOOL] });
  expect(first.stop_reason === "tool_use" && first.content[0].input.city === "Pune", first);
  const last = await create(setting, [CITY, answer(first), results(first)], { tools: [TOOL] });
  expect(last.content[0].text === "The tools say: get_weather", last);
}

async function streamedTools(setting) {
  const both = user("Call get_weather and get_time for the city Pune");
  const message = await streamed(setting, [both], { tools: [TOOL, TIME] });
  const found = message.content.map((block) => `${block.name} ${block.input.city}`).join();
  expect(found === "get_weather Pune,get_time Pune", message);
}

async function thinkingWithTools(setting) {
  for (const ask of [create, streamed]) {
    const more = { tools: [TOOL], ...THINKING };
    const first = await ask(setting, [CITY], more);
    expect(first.content.map((block) => block.type).join() === "thinking,tool_use", first);
    const last = await ask(setting, [CITY, answer(first), results(first)], more);
    expect(last.content.at(-1).text === "The tools say: get_weather", last);
  }
}

async function image(setting) {
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const message = await create(setting, [user([{ type: "image", source }, { type: "text", text: "Look" }])]);
  expect(message.content[0].text === "I see images: 1", message);
}

async function models(setting) {
  const found = [];
  for await (const model of client(setting).models.list()) found.push(model.id);
  expect(found.includes(setting.model), found);
  expect((await client(setting).models.retrieve(setting.model)).id === setting.model, "not found");
}

async function errors(setting) {
  for (const [status, kind, shown] of [[400, Anthropic.BadRequestError, 400], [500, Anthropic.InternalServerError, 529]]) {
    const error = await create(setting, [user(`fail with ${status}`)]).catch((raised) => raised);
    expect(error instanceof kind && error.status === shown && error.requestID, error);
  }
}

async function brokenStream(setting) {
  const error = await streamed(setting, [user("break off")]).catch((raised) => raised);
  expect(error instanceof Anthropic.APIError && error.error.error.type === "overloaded_error", error);
}

await run(
  {
    text,
    stream,
    tools,
    "streamed tools": streamedTools,
    "thinking with tools": thinkingWithTools,
    image,
    models,
    errors,
    "broken stream": brokenStream,
  },
  ["@anthropic-ai/sdk"],
);
