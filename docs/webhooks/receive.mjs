// Receives webhooks with what Node has: CALLMISSED_WEBHOOK_SECRET=whsec_… node receive.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.CALLMISSED_WEBHOOK_SECRET ?? "";
const PORT = Number(process.env.PORT || 9000);
const MAX_BYTES = 1024 * 1024;

const handled = new Set(); // in production a unique column of your database, written together with what you do

function verified(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": sent, "webhook-signature": given } = headers;
  if (!id || !given || !/^[0-9]{1,12}$/.test(sent)) return false;
  if (Math.abs(Date.now() / 1000 - Number(sent)) > 300) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest("base64");
  const wanted = Buffer.from(`v1,${digest}`);
  const same = (one) => one.length === wanted.length && timingSafeEqual(one, wanted);
  return given.split(" ").some((one) => same(Buffer.from(one)));
}

// Your part. Be quick, or put it into a queue: after 10 seconds the attempt counts as failed.
function handle(event) {
  console.log(event.event, JSON.stringify(event.data));
}

async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length <= MAX_BYTES) chunks.push(chunk);
  }
  return length <= MAX_BYTES ? Buffer.concat(chunks) : Buffer.alloc(0);
}

// Verifies the bytes as they came; only then parses them. 204 once an event is handled, now or before.
async function receive(request) {
  const body = await bodyOf(request);
  if (request.method !== "POST" || !verified(SECRET, request.headers, body)) return 400;
  const id = request.headers["webhook-id"];
  if (!handled.has(id)) {
    handle(JSON.parse(body));
    handled.add(id);
  }
  return 204;
}

function fail(problem) {
  console.error(problem);
  process.exit(1);
}

if (!/^whsec_([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(SECRET)) {
  fail("CALLMISSED_WEBHOOK_SECRET must be the webhook's secret, which begins with whsec_");
}
const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    (error) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
});
server.on("error", (error) => fail(`port ${PORT}: ${error.message}; choose another in PORT`));
if (!Number.isInteger(PORT) || PORT < 0 || PORT > 65535) {
  fail(`port ${process.env.PORT}: not a port; choose another in PORT`);
}
server.listen(PORT, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
