// The AI SDK by Vercel, beyond text: it embeds, speaks, transcribes, draws and uploads with its OpenAI provider.
import { readFileSync } from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { expect, RECORDING, run } from "./harness.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const openai = ({ origin, key }) => createOpenAI({ baseURL: `${origin}/v1`, apiKey: key });
const once = { maxRetries: 0 };
const refused = (call) => call.then(() => expect(false, "it was not refused"), (error) => error);

async function embed(setting) {
  const model = openai(setting).embedding("text-embedding-3-small");
  const { embedding, usage } = await ai.embed({ model, value: "A lighthouse", ...once });
  expect(embedding.length === 1536 && usage.tokens > 0, [embedding.length, usage]);
  const providerOptions = { openai: { dimensions: 64, user: "user-1" } };
  const shorter = await ai.embed({ model, value: "A lighthouse", providerOptions, ...once });
  expect(shorter.embedding.length === 64, shorter.embedding.length);
}

async function embedMany(setting) {
  const values = Array.from({ length: 130 }, (_, number) => `Text ${number % 7}`);
  const model = openai(setting).embedding("sandbox-embedding");
  const { embeddings } = await ai.embedMany({ model, values: values.slice(0, 128), ...once });
  expect(ai.cosineSimilarity(embeddings[0], embeddings[7]) > 0.999, "two vectors of one text differ");
  expect(ai.cosineSimilarity(embeddings[0], embeddings[1]) < 0.999, "two texts have one vector");
  const error = await refused(ai.embedMany({ model, values, ...once }));
  expect(error.statusCode === 400 && error.message.includes("'input'"), error.message);
}

async function speak(setting) {
  const model = openai(setting).speech("gpt-4o-mini-tts");
  const more = { voice: "alloy", instructions: "Speak slowly", speed: 1.5, language: "en", ...once };
  for (const [outputFormat, mediaType] of [["mp3", "audio/mpeg"], ["wav", "audio/wav"]]) {
    const { audio } = await ai.experimental_generateSpeech({ model, text: "Hello there", outputFormat, ...more });
    expect(audio.mediaType === mediaType && audio.uint8Array.length > 1000, [audio.mediaType, audio.uint8Array.length]);
  }
}

async function transcribe(setting) {
  const audio = readFileSync(RECORDING);
  for (const name of ["whisper-1", "gpt-4o-transcribe", "sandbox-stt"]) {
    const heard = await ai.experimental_transcribe({ model: openai(setting).transcription(name), audio, ...once });
    expect(heard.text === "This is the sandbox.", [name, heard.text]);
  }
}

async function transcribeWithTimes(setting) {
  const model = openai(setting).transcription("whisper-1");
  const providerOptions = { openai: { language: "en", temperature: 0, timestampGranularities: ["word", "segment"] } };
  const heard = await ai.experimental_transcribe({ model, audio: readFileSync(RECORDING), providerOptions, ...once });
  expect(heard.segments.length > 0 && heard.durationInSeconds === 1.52, heard);
}

async function transcribeSpeakers(setting) {
  const model = openai(setting).transcription("gpt-4o-transcribe-diarize");
  const providerOptions = { openai: { responseFormat: "diarized_json", chunkingStrategy: "auto" } };
  const heard = await ai.experimental_transcribe({ model, audio: readFileSync(RECORDING), providerOptions, ...once });
  expect(heard.text === "This is the sandbox." && heard.segments.length > 0, heard);
}

async function transcribeNothing(setting) {
  const audio = Buffer.from("this is no audio");
  const call = ai.experimental_transcribe({ model: openai(setting).transcription("whisper"), audio, ...once });
  expect((await refused(call)).statusCode === 400, "no 400");
}

async function draw(setting) {
  const model = openai(setting).image("sandbox-image");
  const asked = { model, prompt: "A lighthouse", size: "64x96", n: 2, maxImagesPerCall: 2, ...once };
  const { images } = await ai.generateImage(asked);
  const sizes = images.map(({ uint8Array: png }) => [new DataView(png.buffer, png.byteOffset).getUint32(16), png[23]].join());
  expect(images.every((image) => image.mediaType === "image/png") && sizes.join(" ") === "64,96 64,96", sizes);
}

await run(
  {
    "embeddings: embed": embed,
    "embeddings: embedMany": embedMany,
    "speech: generateSpeech": speak,
    "transcriptions: transcribe": transcribe,
    "transcriptions: with times": transcribeWithTimes,
    "transcriptions: with speakers": transcribeSpeakers,
    "transcriptions: error": transcribeNothing,
    "images: generateImage": draw,
  },
  ["ai", "@ai-sdk/openai"],
);
