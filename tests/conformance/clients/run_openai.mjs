// The OpenAI SDK for Node: chat completions.
import OpenAI from "openai";
import { expect, PNG, run, WEATHER } from "./harness.mjs";

const TOOL = { type: "function", function: { name: "get_weather", parameters: WEATHER, strict: true } };
const TIME = { type: "function", function: { name: "get_time", parameters: WEATHER } };
const CITY = { role: "user", content: "Call get_weather for the city Pune" };

const user = (content) => ({ role: "user", content });
const client = ({ origin, key }) => new OpenAI({ baseURL: `${origin}/v1`, apiKey: key, maxRetries: 0 });
const create = (setting, messages, more = {}) =>
  client(setting).chat.completions.create({ model: setting.model, messages, ...more });

async function text(setting) {
  const reply = await create(setting, [{ role: "developer", content: "Be kind" }, user("Hello")]);
  expect(reply.choices[0].message.content === "You said: Hello My instructions are: Be kind", reply);
}

async function stream(setting) {
  const asked = { model: setting.model, messages: [user("Hello")], stream_options: { include_usage: true } };
  const reply = await client(setting).chat.completions.stream(asked).finalChatCompletion();
  expect(reply.choices[0].message.content === "You said: Hello" && reply.usage.completion_tokens === 3, reply);
}

async function tools(setting) {
  const [first] = (await create(setting, [CITY], { tools: [TOOL] })).choices;
  const [call] = first.message.tool_calls;
  expect(first.finish_reason === "tool_calls" && JSON.parse(call.function.arguments).city === "Pune", first);
  const result = { role: "tool", tool_call_id: call.id, content: "sunny" };
  const last = await create(setting, [CITY, first.message, result], { tools: [TOOL] });
  expect(last.choices[0].message.content === "The tools say: sunny", last);
}

async function streamedTools(setting) {
  const both = user("Call get_weather and get_time for the city Pune");
  const asked = { model: setting.model, messages: [both], tools: [TOOL, TIME] };
  const reply = await client(setting).chat.completions.stream(asked).finalChatCompletion();
  const found = reply.choices[0].message.tool_calls.map((call) => call.function);
  expect(found.map((each) => each.name).join() === "get_weather,get_time", reply);
  expect(found.every((each) => JSON.parse(each.arguments).city === "Pune"), reply);
}

async function toolRunner(setting) {
  const runnable = { ...TOOL, function: { ...TOOL.function, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` } };
  const runner = client(setting).chat.completions.runTools({ model: setting.model, messages: [CITY], tools: [runnable] });
  expect((await runner.finalContent()) === "The tools say: sunny in Pune", await runner.finalContent());
}

async function thinking(setting) {
  const reply = await create(setting, [user("Hello")], { reasoning_effort: "high", max_completion_tokens: 4000 });
  expect(reply.choices[0].message.reasoning_content === "The user says: Hello", reply);
}

async function image(setting) {
  const part = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } };
  const reply = await create(setting, [{ role: "user", content: [{ type: "text", text: "Look" }, part] }]);
  expect(reply.choices[0].message.content === "I see images: 1", reply);
}

async function errors(setting) {
  for (const [status, kind] of [[400, OpenAI.BadRequestError], [500, OpenAI.InternalServerError]]) {
    const error = await create(setting, [user(`fail with ${status}`)]).catch((raised) => raised);
    expect(error instanceof kind && error.requestID, error);
  }
}

async function brokenStream(setting) {
  let seen = "";
  try {
    for await (const chunk of await create(setting, [user("break off")], { stream: true })) {
      seen += chunk.choices[0]?.delta.content ?? "";
    }
  } catch (error) {
    expect(error instanceof OpenAI.APIError && seen.startsWith("You"), error);
    return;
  }
  throw new Error("the stream ended well");
}

await run(
  {
    text,
    stream,
    tools,
    "streamed tools": streamedTools,
    "tool runner": toolRunner,
    thinking,
    image,
    errors,
    "broken stream": brokenStream,
  },
  ["openai"],
);
