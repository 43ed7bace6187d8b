// The AI SDK by Vercel: its OpenAI provider's chat, and its Anthropic provider.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { expect, PNG, run } from "./harness.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const CITY = z.object({ city: z.string(), population: z.number() });
const weather = tool({
  description: "The weather",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const kinds = {
  chat: ({ origin, key, model }) => createOpenAI({ baseURL: `${origin}/v1`, apiKey: key }).chat(model),
  responses: ({ origin, key, model }) => createOpenAI({ baseURL: `${origin}/v1`, apiKey: key }).responses(model),
  messages: ({ origin, key, model }) => createAnthropic({ baseURL: `${origin}/v1`, apiKey: key })(model),
};

function scenarios(kind, model) {
  const ask = (setting, more) => generateText({ model: model(setting), maxRetries: 0, ...more });
  const found = {
    text: async (setting) => {
      const reply = await ask(setting, { system: "Be kind", prompt: "Hello" });
      expect(reply.text === "You said: Hello My instructions are: Be kind", reply.text);
      expect(reply.finishReason === "stop" && reply.usage.outputTokens === 8, reply.usage);
    },
    stream: async (setting) => {
      const reply = streamText({ model: model(setting), maxRetries: 0, prompt: "Hello" });
      let seen = "";
      for await (const piece of reply.textStream) seen += piece;
      expect(seen === "You said: Hello", seen);
    },
    tools: async (setting) => {
      const more = { tools: { get_weather: weather }, stopWhen: stepCountIs(3) };
      const reply = await ask(setting, { prompt: "Call get_weather for the city Pune", ...more });
      expect(reply.text.includes("sunny in Pune"), reply.text);
    },
    "streamed tools": async (setting) => {
      const more = { tools: { get_weather: weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
      const reply = streamText({ model: model(setting), prompt: "Call get_weather for the city Pune", ...more });
      expect((await reply.text).includes("sunny in Pune"), await reply.text);
    },
    "structured output": async (setting) => {
      const reply = await ask(setting, { prompt: "city: Pune, population: 7", output: Output.object({ schema: CITY }) });
      expect(reply.output.city === "Pune" && reply.output.population === 7, reply.output);
    },
    image: async (setting) => {
      const content = [{ type: "text", text: "Look" }, { type: "image", image: PNG, mediaType: "image/png" }];
      const reply = await ask(setting, { messages: [{ role: "user", content }] });
      expect(reply.text === "I see images: 1", reply.text);
    },
    error: async (setting) => {
      const error = await ask(setting, { prompt: "fail with 400" }).catch((raised) => raised);
      expect(error.statusCode === 400 && error.isRetryable === false, error);
    },
  };
  return Object.entries(found).map(([name, scenario]) => [`${kind}, ${name}`, scenario]);
}

async function thinkingWithTools(setting) {
  const thinking = { anthropic: { thinking: { type: "enabled", budgetTokens: 2000 } } };
  const more = { tools: { get_weather: weather }, stopWhen: stepCountIs(3), providerOptions: thinking };
  const prompt = "Call get_weather for the city Pune";
  const reply = await generateText({ model: kinds.messages(setting), maxRetries: 0, maxOutputTokens: 4000, prompt, ...more });
  expect(reply.text.includes("sunny in Pune") && reply.steps[0].reasoningText, reply.text);
}

// What was said before is sent as references, because responses are stored; forced, as the SDK goes by names of models.
const reasoning = { openai: { reasoningEffort: "medium", reasoningSummary: "auto", forceReasoning: true } };

async function referredTo(setting, loop) {
  const bodies = [];
  const watched = (url, options) => (bodies.push(JSON.parse(options.body)), fetch(url, options));
  const provider = createOpenAI({ baseURL: `${setting.origin}/v1`, apiKey: setting.key, fetch: watched });
  await loop({ model: provider.responses(setting.model), maxRetries: 0, providerOptions: reasoning });
  return bodies.map((body) => body.input.filter((item) => item.type === "item_reference").length);
}

async function responsesThinkingWithTools(setting) {
  for (const generate of [generateText, streamText]) {
    const referred = await referredTo(setting, async (more) => {
      const asked = { tools: { get_weather: weather }, stopWhen: stepCountIs(3) };
      const reply = await generate({ prompt: "Call get_weather for the city Pune", ...asked, ...more });
      const [text, steps] = [await reply.text, await reply.steps];
      expect(text.includes("sunny in Pune") && steps[0].reasoningText, text);
    });
    expect(referred.length === 2 && referred[1] > 0, referred);
  }
}

async function responsesConversation(setting) {
  const referred = await referredTo(setting, async (more) => {
    const messages = [];
    for (const content of ["Hello", "Call get_weather for the city Pune", "And?"]) {
      messages.push({ role: "user", content });
      const reply = await generateText({ messages, tools: { get_weather: weather }, stopWhen: stepCountIs(3), ...more });
      messages.push(...(await reply.responseMessages ?? reply.response.messages));
      expect(reply.text.length > 0, reply.text);
    }
  });
  expect(referred.length === 4 && referred.every((count, step) => !step || count > referred[step - 1]), referred);
}

await run(
  Object.fromEntries([
    ...Object.entries(kinds).flatMap(([kind, model]) => scenarios(kind, model)),
    ["messages, thinking with tools", thinkingWithTools],
    ["responses, thinking with tools", responsesThinkingWithTools],
    ["responses, conversation", responsesConversation],
  ]),
  ["ai", "@ai-sdk/openai", "@ai-sdk/anthropic"],
);
