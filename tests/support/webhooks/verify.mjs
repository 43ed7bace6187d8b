// Says whether the official npm package accepts one request: {secret, headers, body} on stdin, true or false on stdout.
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
try {
  new Webhook(secret).verify(body, headers);
  console.log(true);
} catch (error) {
  if (!(error instanceof WebhookVerificationError)) throw error;
  console.log(false);
}
