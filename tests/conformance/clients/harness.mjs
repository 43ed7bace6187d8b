// Runs a client's scenarios against models, and prints a line of JSON for each; see harness.py.
import { readFileSync } from "node:fs";

export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const RECORDING = new URL("../../support/audio/opus.ogg", import.meta.url);
export const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

export function expect(condition, what) {
  if (!condition) throw new Error(JSON.stringify(what) ?? String(what));
}

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function version(name) {
  return JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;
}

async function fault(scenario, setting) {
  try {
    await scenario(setting);
    return "";
  } catch (error) {
    return `${error.constructor.name}: ${error.message}`.replaceAll("\n", " ").slice(0, 300);
  }
}

export async function run(scenarios, packages) {
  const { origin, key, models, only } = JSON.parse(process.argv[2]);
  say({ versions: Object.fromEntries(packages.map((name) => [name, version(name)])) });
  for (const [upstream, model] of Object.entries(models)) {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (only && !only.includes(name)) continue;
      const detail = await fault(scenario, { origin, key, model });
      say({ scenario: name, upstream, ok: !detail, detail });
    }
  }
}
