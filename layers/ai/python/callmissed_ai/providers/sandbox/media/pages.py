"""Pages that the sandbox's search finds: facts of this product, each with an address below a reserved domain."""

from dataclasses import dataclass

DOCS, API, GUIDES = "docs.sandbox.example", "api.sandbox.example", "guides.sandbox.example"


@dataclass(frozen=True, slots=True)
class SandboxPage:
    """One page: its host, its name in the address, its title, its date and its text."""

    host: str
    name: str
    title: str
    date: str
    text: str

    @property
    def url(self) -> str:
        """Address, which nobody can open."""
        return f"https://{self.host}/{self.name}"


PAGES = (
    SandboxPage(
        DOCS,
        "sandbox",
        "Sandbox",
        "2026-06-01",
        "The sandbox answers without a network or an account. The same question gets the same answer, and words "
        "such as sandbox:rate_limit in a prompt make it fail on purpose.",
    ),
    SandboxPage(
        GUIDES,
        "voice-agents",
        "Voice agents",
        "2026-06-02",
        "A voice agent listens, thinks and speaks until either side hangs up: speech to text, a language model, "
        "and text to speech in one pipeline.",
    ),
    SandboxPage(
        DOCS,
        "webhooks",
        "Webhooks",
        "2026-06-03",
        "A webhook is an HTTPS endpoint that is called on events. Each delivery is made at least once and signed "
        "with HMAC-SHA256, so a receiver checks the signature and remembers ids.",
    ),
    SandboxPage(
        DOCS,
        "credits",
        "Credits",
        "2026-06-04",
        "A credit is the unit of billing, and one credit is one rupee. A call holds credits for its dearest "
        "outcome, and pays for what it has used.",
    ),
    SandboxPage(
        GUIDES,
        "whatsapp",
        "WhatsApp",
        "2026-06-05",
        "A business answers within 24 hours of a customer's last message, or sends a template that Meta has approved.",
    ),
    SandboxPage(
        API,
        "chat-completions",
        "Chat completions",
        "2026-06-06",
        "POST /v1/chat/completions speaks OpenAI's format: messages, tools, images, structured output and "
        "streams. Official SDKs work by a change of the base URL.",
    ),
    SandboxPage(
        API,
        "responses",
        "Responses",
        "2026-06-07",
        "POST /v1/responses continues a stored response by its id. Responses are kept for thirty days and are "
        "visible to their own tenant alone.",
    ),
    SandboxPage(
        API,
        "messages",
        "Anthropic messages",
        "2026-06-08",
        "POST /v1/messages speaks Anthropic's format, with thinking, tools and cache marks. Any model of the "
        "catalog can be asked through it.",
    ),
    SandboxPage(
        API,
        "embeddings",
        "Embeddings",
        "2026-06-09",
        "POST /v1/embeddings turns texts into vectors, whose distance says how much their meanings differ. "
        "Multilingual models know Hindi and Tamil.",
    ),
    SandboxPage(
        API,
        "search",
        "Web search",
        "2026-06-10",
        "POST /v1/search asks one of several search providers and answers in one format, at a flat price of one "
        "credit for each success.",
    ),
    SandboxPage(
        API,
        "transcriptions",
        "Speech to text",
        "2026-06-11",
        "POST /v1/audio/transcriptions writes down what was said in an audio file. It is billed by the length of "
        "the audio, the same in every response format.",
    ),
    SandboxPage(
        API,
        "speech",
        "Text to speech",
        "2026-06-12",
        "POST /v1/audio/speech reads a text aloud, in a voice and a language of your choice. It is billed by the "
        "characters of the text.",
    ),
    SandboxPage(
        API,
        "images",
        "Images",
        "2026-06-13",
        "POST /v1/images/generations draws pictures from a prompt. Each image that is returned is billed, and "
        "what a filter refuses costs nothing.",
    ),
    SandboxPage(
        API,
        "models",
        "Models",
        "2026-06-14",
        "GET /v1/models lists the catalog: ids, prices, context windows and abilities. A model without a "
        "configured provider says why it is not available.",
    ),
    SandboxPage(
        API,
        "generation",
        "Past calls",
        "2026-06-15",
        "GET /v1/generation shows what a past call cost: its tokens or units, the provider that served it, and "
        "the price.",
    ),
    SandboxPage(
        DOCS,
        "api-keys",
        "API keys",
        "2026-06-16",
        "An API key begins with cm_live_ or cm_test_. It carries permissions, scopes, domain locks, a rate and a "
        "monthly budget, and is shown once.",
    ),
    SandboxPage(
        DOCS,
        "test-keys",
        "Test keys",
        "2026-06-17",
        "A key that begins with cm_test_ never leaves the sandbox and never costs credits, whatever model it names.",
    ),
    SandboxPage(
        DOCS,
        "key-rotation",
        "Key rotation",
        "2026-06-18",
        "A key is rotated in place: the old secret works beside the new one for an overlap of up to 24 hours.",
    ),
    SandboxPage(
        DOCS,
        "domain-locks",
        "Domain locks",
        "2026-06-19",
        "A domain lock is the list of web origins from which a key works, so that a key in a page is of no use "
        "elsewhere.",
    ),
    SandboxPage(
        DOCS,
        "rate-limits",
        "Rate limits",
        "2026-06-20",
        "A key has a rate in requests a minute. Above it a call is answered with 429 and Retry-After, and costs "
        "nothing.",
    ),
    SandboxPage(
        DOCS,
        "idempotency",
        "Idempotency",
        "2026-06-21",
        "With the header Idempotency-Key a request runs and costs once in 24 hours: a retry gets the stored "
        "answer of the first run.",
    ),
    SandboxPage(
        DOCS,
        "errors",
        "Errors",
        "2026-06-22",
        "An error has a code, a message and the id of its request. What is wrong in a request is named by param, "
        "and nothing is charged for it.",
    ),
    SandboxPage(
        DOCS,
        "streaming",
        "Streaming",
        "2026-06-23",
        "A stream sends server-sent events as the model writes. One that breaks off ends in an error event and "
        "costs what has come.",
    ),
    SandboxPage(
        DOCS,
        "fallbacks",
        "Fallbacks",
        "2026-06-24",
        "When a provider fails before its reply begins, the next route of the model is asked, then the next model "
        "of the request.",
    ),
    SandboxPage(
        DOCS,
        "ledger",
        "Ledger",
        "2026-06-25",
        "Every movement of money is an immutable entry of the ledger, with quantities and prices from which its "
        "amount can be computed again.",
    ),
    SandboxPage(
        DOCS,
        "budgets",
        "Budgets",
        "2026-06-26",
        "A budget is a monthly limit in credits, of a tenant or of a key. Above it calls fail with budget_exceeded.",
    ),
    SandboxPage(
        DOCS,
        "plans",
        "Plans",
        "2026-06-27",
        "The plans are free, starter, pro and enterprise. Each has monthly quotas of calls, and the free plan a "
        "list of models.",
    ),
    SandboxPage(
        DOCS,
        "payments",
        "Payments",
        "2026-06-28",
        "Credits are bought in packs, and an invoice with GST follows. They do not expire.",
    ),
    SandboxPage(
        DOCS,
        "coupons",
        "Coupons",
        "2026-06-29",
        "A coupon is redeemed once by a tenant and grants credits, which the ledger shows as an entry of their own.",
    ),
    SandboxPage(
        GUIDES,
        "bots",
        "Bots",
        "2026-06-30",
        "A bot is an agent with a system prompt and, if wanted, a knowledge base. It answers on WhatsApp or takes "
        "calls.",
    ),
    SandboxPage(
        GUIDES,
        "knowledge",
        "Knowledge bases",
        "2026-07-01",
        "Documents are cut into passages and embedded. The passages nearest to a question are passed to the model "
        "as context.",
    ),
    SandboxPage(
        GUIDES,
        "conversations",
        "Conversations",
        "2026-07-02",
        "A conversation is one thread between an end user and a bot. A person can take it over and hand it back.",
    ),
    SandboxPage(
        GUIDES,
        "outbound-calls",
        "Outbound calls",
        "2026-07-03",
        "An outbound call is placed through Twilio: the bot greets whoever answers, and a machine gets a message.",
    ),
    SandboxPage(
        GUIDES,
        "call-analytics",
        "Call analytics",
        "2026-07-04",
        "A recorded call becomes a transcript that names its speakers, with a summary and the mood of the customer.",
    ),
    SandboxPage(
        GUIDES,
        "indian-languages",
        "Indian languages",
        "2026-07-05",
        "Speech models write and speak Hindi, Tamil, Telugu, Bengali, Marathi, Gujarati, Kannada, Malayalam, "
        "Punjabi and Odia.",
    ),
    SandboxPage(
        DOCS,
        "team",
        "Teams",
        "2026-07-06",
        "A tenant has one owner, and admins and agents whom the owner invites. Nothing is visible across two tenants.",
    ),
    SandboxPage(
        DOCS,
        "two-factor",
        "Two-factor sign-in",
        "2026-07-07",
        "People sign in with a password and a second factor: the code of an authenticator app, a backup code or a "
        "passkey.",
    ),
    SandboxPage(
        DOCS,
        "audit",
        "Audit log",
        "2026-07-08",
        "The audit log says who changed what and when: keys, people, settings and webhooks. It can be exported as CSV.",
    ),
    SandboxPage(
        DOCS,
        "local-stack",
        "Local stack",
        "2026-07-09",
        "make dev runs the whole product on one machine, without an account: the same functions, tables and limits.",
    ),
    SandboxPage(
        DOCS,
        "deployment",
        "Deployment",
        "2026-07-10",
        "A stage is deployed into your own AWS account with CDK. While nobody calls it costs next to nothing.",
    ),
    SandboxPage(
        DOCS,
        "providers",
        "Providers",
        "2026-07-11",
        "A provider is switched on by its key. Any server that speaks OpenAI's format is a provider by two lines "
        "of configuration.",
    ),
)
