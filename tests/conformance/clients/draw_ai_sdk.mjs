// Draws two images with Vercel's AI SDK, and prints them in base64.
import { createOpenAI } from "@ai-sdk/openai";
import { generateImage } from "ai";

const [baseURL, apiKey] = process.argv.slice(2);
const openai = createOpenAI({ baseURL, apiKey });
const { images } = await generateImage({
  model: openai.image("sandbox-image"),
  prompt: "A lighthouse",
  size: "64x96",
  n: 2,
  maxRetries: 0,
  maxImagesPerCall: 2,
});
process.stdout.write(JSON.stringify(images.map((image) => image.base64)));
