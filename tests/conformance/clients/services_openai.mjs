// The OpenAI SDK for Node, beyond text: embeddings, audio, images and files, with each way to give a file.
import { createReadStream, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import OpenAI, { toFile } from "openai";
import { expect, RECORDING, run } from "./harness.mjs";

const WORDS = "This is the sandbox.";
const client = ({ origin, key }) => new OpenAI({ baseURL: `${origin}/v1`, apiKey: key, maxRetries: 0 });
const refused = (call) => call.then(() => expect(false, "it was not refused"), (error) => error);
const magic = async (response, length) => Buffer.from(await response.arrayBuffer()).subarray(0, length).toString("latin1");

async function* pieces(bytes) {
  for (let start = 0; start < bytes.length; start += 1000) yield bytes.subarray(start, start + 1000);
}

async function embeddings(setting) {
  const asked = { model: "text-embedding-3-small", dimensions: 32 };
  const texts = await client(setting).embeddings.create({ ...asked, input: ["Hello", "there"] });
  expect(texts.data.every((each) => each.embedding.length === 32), texts);
  const plain = await client(setting).embeddings.create({ ...asked, input: ["Hello", "there"], encoding_format: "float" });
  expect(Math.abs(plain.data[1].embedding[3] - texts.data[1].embedding[3]) < 1e-6, "base64 and numbers differ");
}

async function tokens(setting) {
  const input = [[9906], [19182, 11]];
  const { data, usage } = await client(setting).embeddings.create({ model: "text-embedding-3-small", input });
  expect(data.length === 2 && usage.prompt_tokens === 3, usage);
  const error = await refused(client(setting).embeddings.create({ model: "bge-m3", input }));
  expect(error.status === 400 && error.param === "input", error);
}

async function speech(setting) {
  const asked = { model: "gpt-4o-mini-tts", voice: "coral", input: "Hello there" };
  const { speech } = client(setting).audio;
  expect((await magic(await speech.create({ ...asked, response_format: "wav" }), 4)) === "RIFF", "no WAV");
  const error = await refused(speech.create({ ...asked, model: "sandbox-tts", response_format: "flac" }));
  expect(error.status === 400 && error.param === "response_format", error);
  const response = await speech.create({ ...asked, response_format: "pcm" });
  let bytes = 0;
  for await (const piece of response.body) bytes += piece.length;
  expect(bytes > 10_000, bytes);
}

async function speechEvents(setting) {
  const asked = { model: "gpt-4o-mini-tts", voice: "coral", input: "Hello", stream_format: "sse" };
  const text = await (await client(setting).audio.speech.create(asked)).text();
  const events = text.trim().split("\n\n").map((event) => JSON.parse(event.slice(event.indexOf("{"))));
  expect(events.at(0).type === "speech.audio.delta" && events.at(-1).type === "speech.audio.done", events.at(-1));
}

const ways = {
  "fs stream": () => createReadStream(RECORDING),
  "Node stream": () => toFile(Readable.from(pieces(readFileSync(RECORDING))), "note.ogg"),
  Blob: () => toFile(new Blob([readFileSync(RECORDING)]), "note.ogg"),
  File: () => new File([readFileSync(RECORDING)], "note.ogg", { type: "audio/ogg" }),
  Response: () => new Response(readFileSync(RECORDING)),
};

async function transcriptions(setting) {
  for (const [way, file] of Object.entries(ways)) {
    const heard = await client(setting).audio.transcriptions.create({ model: "whisper", file: await file() });
    expect(heard.text === WORDS, [way, heard]);
  }
}

async function transcriptionFormats(setting) {
  const { transcriptions } = client(setting).audio;
  const ask = (more) => transcriptions.create({ model: "whisper", file: createReadStream(RECORDING), ...more });
  const verbose = await ask({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"] });
  expect(verbose.words.length === 4 && verbose.segments.length > 0 && verbose.duration === 1.52, verbose);
  expect((await ask({ response_format: "vtt" })).startsWith("WEBVTT"), "no VTT");
  expect((await ask({ response_format: "diarized_json" })).segments[0].speaker === "A", "no speaker");
  let [text, last] = ["", null];
  for await (last of await ask({ stream: true })) text += last.delta ?? "";
  expect(text === WORDS && last.type === "transcript.text.done", last);
}

async function translations(setting) {
  const heard = await client(setting).audio.translations.create({ model: "whisper", file: createReadStream(RECORDING) });
  expect(heard.text === WORDS, heard);
}

// What SDKs do not do, and `fetch` with a stream does: a form that is sent in chunks, without its length.
async function chunked(setting) {
  const form = new FormData();
  form.append("model", "whisper");
  form.append("file", new File([readFileSync(RECORDING)], "note.ogg"));
  const { headers, body } = new Request(setting.origin, { method: "POST", body: form });
  const sent = { "content-type": headers.get("content-type"), authorization: `Bearer ${setting.key}` };
  const path = `${setting.origin}/v1/audio/transcriptions`;
  const response = await fetch(path, { method: "POST", headers: sent, body, duplex: "half" });
  expect(response.status === 200 && (await response.json()).text === WORDS, response.status);
}

async function images(setting) {
  const { images } = client(setting);
  const asked = { model: "sandbox-image", prompt: "A lighthouse", size: "64x64", n: null, response_format: null, stream: false };
  const { data } = await images.generate(asked);
  expect(data.length === 1 && Buffer.from(data[0].b64_json, "base64").subarray(1, 4).toString() === "PNG", data);
  const linked = await images.generate({ ...asked, response_format: "url", n: 2 });
  const drawn = await Promise.all(linked.data.map(({ url }) => fetch(url)));
  expect(drawn.every((each) => each.headers.get("content-type") === "image/png"), linked);
  expect((await refused(images.generate({ ...asked, quality: "high" }))).param === "quality", "quality is not refused");
}

async function files(setting) {
  const { files } = client(setting);
  const sent = readFileSync(RECORDING);
  for (const [way, file] of Object.entries(ways)) {
    const made = await files.create({ file: await file(), purpose: "user_data" });
    expect(made.bytes === sent.length, [way, made]);
    await files.waitForProcessing(made.id);
    const content = Buffer.from(await (await files.content(made.id)).arrayBuffer());
    expect(content.equals(sent), [way, content.length]);
    expect((await files.retrieve(made.id)).id === made.id, way);
  }
  const listed = [];
  for await (const file of files.list({ purpose: "user_data", limit: 2 })) listed.push(file.id);
  expect(listed.length >= 5, listed);
  for (const id of listed) expect((await files.delete(id)).deleted, id);
  expect((await refused(files.retrieve(listed[0]))).code === "file_not_found", listed[0]);
}

await run(
  {
    "embeddings: texts": embeddings,
    "embeddings: tokens": tokens,
    "speech: formats": speech,
    "speech: events": speechEvents,
    "transcriptions: streams, Blobs, Files": transcriptions,
    "transcriptions: formats and events": transcriptionFormats,
    "transcriptions: without a length": chunked,
    "translations: text": translations,
    "images: bytes and links": images,
    "files: streams, Blobs, Files": files,
  },
  ["openai"],
);
