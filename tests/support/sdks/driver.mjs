// Drives the official Node SDK for the tests: one JSON request a line on stdin, its events as JSON lines on stdout.
import { createInterface } from "node:readline";
import OpenAI from "openai";

const streams = new Map();

function say(id, event) {
  process.stdout.write(JSON.stringify({ id, ...event }) + "\n");
}

function described(error) {
  return {
    name: error.constructor.name,
    message: error.message,
    status: error.status ?? null,
    code: error.code ?? null,
    type: error.type ?? null,
    param: error.param ?? null,
    request_id: error.requestID ?? null,
    retry_after: error.headers?.get?.("retry-after") ?? null,
  };
}

function method(client, path) {
  const names = path.split(".");
  const last = names.pop();
  const owner = names.reduce((object, name) => object[name], client);
  return owner[last].bind(owner);
}

async function passOn(id, chunks) {
  streams.set(id, chunks);
  try {
    for await (const chunk of chunks) say(id, { chunk });
  } finally {
    streams.delete(id);
  }
  say(id, { result: null });
}

async function serve({ id, base_url, key, retries, path, args }) {
  const client = new OpenAI({ baseURL: base_url, apiKey: key, maxRetries: retries, timeout: 30_000 });
  try {
    const result = await method(client, path)(...args);
    if (result[Symbol.asyncIterator] && result.controller) return await passOn(id, result);
    say(id, { result: path.endsWith(".list") ? result.data : result, request_id: result._request_id });
  } catch (error) {
    say(id, { error: described(error) });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.abort) streams.get(request.abort)?.controller.abort();
  else void serve(request);
}
