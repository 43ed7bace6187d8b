"""The gateway for tests: the real application under uvicorn, real tables, a scripted upstream."""

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.model import Catalog, ProviderRoute
from callmissed.clock import MINUTE, Clock, Micros, system_clock
from callmissed.files.service import Files
from callmissed.keys.budgets import KeyBudgets
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, key_hash
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.ledger.grants import grant
from callmissed.ledger.sweep import SweepReport, sweep
from callmissed.money import CREDIT, MicroCredits, cost
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS, LEDGER, WALLETS, Table, physical_name
from callmissed.settings import CoreSettings
from callmissed.tenants.tenants import change_tenant, create_tenant, get_tenant
from callmissed_ai.calls.call import HOLD_MINUTES
from callmissed_ai.calls.container import Container, create_container
from callmissed_ai.providers.sandbox.provider import CHUNK_SECONDS, SandboxProvider
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.routing.router import Router
from callmissed_ai.services.image_history.history import ImageHistory
from functions.inference.app import create_app
from local.aws.tables import StageTables
from tests.support.inference.image_objects import MemoryObjects
from tests.support.memory_files import MemoryFiles
from tests.support.threads import uvicorn_serving
from tests.support.wallet_items import held, spent

PEPPER = b"tests-pepper-of-some-length-....."
REGION = "us-east-1"

ENVIRONMENT: Mapping[str, str] = {"LAB_API_KEY": "lab-secret", "AWS_REGION": "us-east-1"}

_MODELS: Mapping[str, Mapping[str, Any]] = {
    "lab-chat": {"provider": "lab", "cached_input": 10},
    "lab-cached": {"provider": "lab", "cached_input": 10, "cache_write": 100},
    "lab-free": {"provider": "lab", "free": True},
    "lab-eyes": {"provider": "lab", "supports_vision": True},
    "lab/with/slashes": {"provider": "lab"},
    "lab-dear": {"provider": "lab", "input": 1000, "output": 3000},
    "lab-small": {"provider": "lab", "max_output_tokens": 512},
    "second-chat": {"provider": "second"},
    "inline-chat": {"provider": "inline", "supports_vision": True},
    "dead-chat": {"provider": "dead"},
    "keyed-chat": {"provider": "keyed"},
    "keyless-chat": {"provider": "keyless"},
    "claude-chat": {"provider": "claude", "supports_vision": True, "cached_input": 5, "cache_write": 60},
    "gpt-chat": {"provider": "gpt", "supports_vision": True, "cached_input": 5},
    "gpt-thinks": {"provider": "gpt", "supports_reasoning": True},
    "converse-chat": {
        "provider": "bedrock",
        "upstream_id": "eu.anthropic.claude-x:0",
        "supports_vision": True,
        "cached_input": 5,
        "cache_write": 60,
    },
    "sdk-chat": {"provider": "sdk"},
    "claude-sdk-chat": {"provider": "claude_sdk", "cached_input": 5, "cache_write": 60},
    "named-chat": {"provider": "named"},
    "lab-embedding": {"provider": "lab", "category": "embedding", "context_window": 8192, "dimensions": 4},
    "sdk-embedding": {"provider": "sdk", "category": "embedding", "context_window": 8192},
    "titan-embedding": {
        "provider": "vectors",
        "upstream_id": "amazon.titan-embed-text-v2:0",
        "category": "embedding",
        "context_window": 8192,
        "dimensions": 4,
        "vector_sizes": [2, 4],
    },
}
_UNPRICED = 'unpriced_fields = ["stream_options.x", "x", "x_new", "x_unknown", "y"]'
_ROUTES: Mapping[str, Sequence[tuple[str, str]]] = {
    "two-routes": (("lab", "first-name"), ("second", "second-name")),
    "claude-first": (("claude", "claude-name"), ("lab", "chat-name")),
    "keyless-first": (("keyless", "keyless-name"), ("claude", "claude-name")),
}
"""Models with several routes: provider and the provider's id of each."""

_SEARCHES: Mapping[str, str] = {"google": "first_search", "exa": "next_search", "serper": "next_search"}
"""The searches that are asked first, each at a provider of the scripted upstream."""

_IMAGES: Mapping[str, tuple[str, str]] = {
    "lab-image": ("lab", "upstream-image"),
    "gemini-image": ("gemini_lab", "gemini-3-pro-image-preview"),
    "run-image": ("run_lab", "@cf/lykon/dreamshaper-8-lcm"),
}
"""Image models: the provider, and its id of the model."""


_TRANSCRIBERS: Mapping[str, tuple[str, str]] = {
    "lab-whisper": ("lab", "whisper-1"),
    "lab-transcribe": ("lab", "gpt-4o-transcribe"),
    "lab-diarize": ("lab", "gpt-4o-transcribe-diarize"),
    "deepgram-nova": ("deepgram_lab", "nova-3"),
    "cloudflare-whisper": ("cloudflare_lab", "@cf/openai/whisper-large-v3-turbo"),
    "cloudflare-nova": ("cloudflare_lab", "@cf/deepgram/nova-3"),
    "sarvam-saaras": ("sarvam_lab", "saaras:v3"),
}
"""Models of speech to text at 36 credits an hour: ten micro-credits a millisecond."""

_SPEECH: Mapping[str, Sequence[str]] = {"lab-tts": ("lab",), "two-tts": ("lab", "second"), "native-tts": ("speaker",)}
"""Models that speak, with their providers."""


def providers_toml(port: int, dead_port: int) -> str:
    """An operator's file whose providers all end at one scripted upstream, each with a path of its own."""
    base = f"http://127.0.0.1:{port}"
    rows = [
        f'[providers.lab]\nbase_url = "{base}/lab/v1"\n{_UNPRICED}',
        f'[providers.inline]\nbase_url = "{base}/inline/v1"\nquirks = ["inline_images"]',
        f'[providers.second]\nbase_url = "{base}/second/v1"',
        f'[providers.dead]\nbase_url = "http://127.0.0.1:{dead_port}/v1"',
        f'[providers.keyed]\nbase_url = "{base}/keyed/v1"\napi_key_env = "LAB_API_KEY"',
        f'[providers.keyless]\nbase_url = "{base}/keyless/v1"\napi_key_env = "LAB_KEY_THAT_NOBODY_SET"',
        f'[providers.sdk]\nbase_url = "{base}/sdk/v1"\ntransport = "openai_sdk"\n{_UNPRICED}',
        f'[providers.claude]\nbase_url = "{base}/claude/v1"\ndialect = "anthropic_messages"\n'
        'api_key_env = "LAB_API_KEY"\nauth = "x-api-key"\nheaders = { anthropic-version = "2023-06-01" }\n'
        'unpriced_betas = ["*", "mcp-client"]',
        f'[providers.claude_sdk]\nbase_url = "{base}/claude/v1"\ndialect = "anthropic_messages"\n'
        'api_key_env = "LAB_API_KEY"\nauth = "x-api-key"\ntransport = "anthropic_sdk"',
        f'[providers.gpt]\nbase_url = "{base}/gpt/v1"\ndialect = "openai_responses"\napi_key_env = "LAB_API_KEY"',
        f'[providers.bedrock]\nbase_url = "{base}/bedrock"\ndialect = "bedrock_converse"\nauth = "sigv4"\n'
        'quirks = ["inline_images"]',
        f'[providers.vectors]\nbase_url = "{base}/vectors"\ndialect = "native"\ntransport = "bedrock_embeddings"\n'
        'auth = "sigv4"',
        f'[providers.first_search]\nbase_url = "{base}/serper"\ndialect = "native"\ntransport = "serper"',
        f'[providers.next_search]\nbase_url = "{base}/next"\ndialect = "native"\ntransport = "serper"',
        '[providers.firecrawl]\nbase_url = "https://api.firecrawl.dev/v2"\ndialect = "native"\ntransport = "firecrawl"',
        'api_key_env = "FIRECRAWL_API_KEY"\nunpriced_fields = ["include_content"]',
        f'[providers.gemini_lab]\nbase_url = "{base}/gemini"\ndialect = "native"\ntransport = "gemini_images"',
        f'[providers.run_lab]\nbase_url = "{base}/run"\ndialect = "native"\ntransport = "cloudflare_run"',
        *(_image(name, *route) for name, route in _IMAGES.items()),
        *(_search(name, provider) for name, provider in _SEARCHES.items()),
        f'[providers.deepgram_lab]\nbase_url = "{base}/deepgram"\ndialect = "native"\ntransport = "deepgram"',
        f'[providers.cloudflare_lab]\nbase_url = "{base}/cf"\ndialect = "native"\ntransport = "cloudflare_run"\n'
        'unpriced_fields = ["diarize", "redact"]',
        f'[providers.sarvam_lab]\nbase_url = "{base}/sarvam"\ndialect = "native"\ntransport = "sarvam_speech"',
        *(_transcriber(name, *route) for name, route in _TRANSCRIBERS.items()),
        f'[providers.speaker]\nbase_url = "{base}/speaker"\ndialect = "native"\ntransport = "deepgram"',
        *(_speech(name, provider) for name, providers in _SPEECH.items() for provider in providers),
        f'[providers.named]\nbase_url = "http://localhost:{port}/named/v1"',
    ]
    rows += [_model(name, **{"upstream_id": f"upstream-{name}", **settings}) for name, settings in _MODELS.items()]
    rows += [
        _model(name, upstream_id, provider=provider)
        for name, routes in _ROUTES.items()
        for provider, upstream_id in routes
    ]
    return "\n".join(rows)


def recomputed(entry: LedgerEntry) -> MicroCredits:
    """The cost that the lines of the entry's usage come to, nothing for what a test key used."""
    lines = () if entry.usage is None or entry.sandbox else entry.usage.lines
    return cost(*((line.quantity, line.price, line.per) for line in lines))


def _search(name: str, provider: str) -> str:
    lines = [f'id = "{name}"', f'provider = "{provider}"', 'upstream_id = "search"', 'category = "search"']
    return "\n".join(["[[models]]", *lines, 'unit = "search"', "unit_price = 1", "free = true"])


def _transcriber(name: str, provider: str, upstream_id: str) -> str:
    lines = [f'id = "{name}"', f'provider = "{provider}"', f'upstream_id = "{upstream_id}"', 'category = "stt"']
    return "\n".join(["[[models]]", *lines, 'unit = "audio_hour"', "unit_price = 36", "free = true"])


def _image(name: str, provider: str, upstream_id: str) -> str:
    lines = [f'id = "{name}"', f'provider = "{provider}"', f'upstream_id = "{upstream_id}"', 'category = "image"']
    return "\n".join(["[[models]]", *lines, 'unit = "image"', "unit_price = 2.5"])


def _speech(name: str, provider: str) -> str:
    lines = [f'id = "{name}"', f'provider = "{provider}"', 'upstream_id = "aura-2-en"', 'category = "tts"']
    return "\n".join(["[[models]]", *lines, 'unit = "10k_characters"', "unit_price = 30", 'voices = ["alloy", "echo"]'])


def _model(name: str, upstream_id: str, **settings: Any) -> str:
    fields = {"input": 50, "output": 150, "context_window": 128_000, **settings}
    lines = [f'id = "{name}"', f'upstream_id = "{upstream_id}"']
    lines += [f"{field} = {_toml(value)}" for field, value in fields.items()]
    return "\n".join(["[[models]]", *lines])


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant with a key, and its wallet as it was when the test began."""

    tenant: str
    secret: str
    key_id: str
    before: Item

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Makes tenants and keys, and reads what became of their money. All reads are strongly consistent."""

    dynamodb: DynamoDB
    stage: str
    pepper: bytes = PEPPER

    @property
    def keys(self) -> KeyManager:
        return KeyManager(Database(self.dynamodb, self.stage), self.pepper)

    async def account(
        self, *, plan: Plan = Plan.PRO, credits: float = 1000, mode: Mode = Mode.LIVE, **policy: Any
    ) -> Account:
        """A fresh tenant with `credits` and one key; `policy` as in `KeyPolicy`."""
        now = system_clock()
        tenant = (await create_tenant(Database(self.dynamodb, self.stage), name="tests", plan=plan, now=now)).tenant_id
        if credits:
            amount = round(credits * CREDIT)
            await grant(
                Database(self.dynamodb, self.stage),
                tenant=tenant,
                amount=MicroCredits(amount),
                operation_id="start",
                now=now,
            )
        key = await self.key(tenant, mode=mode, **policy)
        return Account(tenant, key.secret, key.record.key_id, await self.wallet(tenant))

    async def key(self, tenant: str, *, mode: Mode = Mode.LIVE, now: int | None = None, **policy: Any) -> NewKey:
        """One more key of `tenant`, fast enough to stay out of the way unless `rpm` says otherwise."""
        settings: dict[str, Any] = {"rpm": 60_000, **policy}
        return await self.keys.create(
            tenant, name="tests", mode=mode, policy=KeyPolicy(**settings), now=Micros(now or system_clock())
        )

    async def key_item(self, secret: str) -> Item:
        return await self._get(KEYS, {"id": key_hash(self.pepper, secret)})

    async def wallet(self, tenant: str) -> Item:
        return await self._get(WALLETS, {"id": tenant})

    async def change_tenant(self, tenant: str, **settings: Any) -> None:
        """Set settings of the tenant."""
        database = Database(self.dynamodb, self.stage)
        await database.transact([change_tenant(await get_tenant(database, tenant, consistent=True), settings)])

    async def change_wallet(self, tenant: str, **values: Any) -> Item:
        """Set attributes of the wallet by hand; returns what it holds then."""
        names = {f"#{name}": name for name in values}
        request = {
            "TableName": physical_name(self.stage, WALLETS),
            "Key": to_item({"id": tenant}),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item({f":{name}": value for name, value in values.items()}),
            "ReturnValues": "ALL_NEW",
        }
        return from_item((await self.dynamodb.call("UpdateItem", request))["Attributes"])

    async def entries(self, tenant: str) -> list[Item]:
        """Entries of the tenant's calls, oldest first."""
        return [entry for entry in await self.everything(tenant) if entry["type"] in ("deduction", "void")]

    async def everything(self, tenant: str) -> list[Item]:
        """All entries of the tenant, grants too, oldest first."""
        request = {
            "TableName": physical_name(self.stage, LEDGER),
            "KeyConditionExpression": "tenant = :t",
            "ExpressionAttributeValues": to_item({":t": tenant}),
            "ConsistentRead": True,
        }
        return [from_item(item) for item in (await self.dynamodb.call("Query", request))["Items"]]

    async def entry(self, tenant: str) -> Item:
        """The tenant's only call entry."""
        (entry,) = await self.entries(tenant)
        return entry

    async def is_settled(self, account: Account) -> bool:
        """Whether the account has an entry and holds nothing."""
        return not (await self.wallet(account.tenant))["h"] and bool(await self.entries(account.tenant))

    async def sweep(self) -> SweepReport:
        """Sweep as it will be when every hold of now has expired."""
        return await sweep(
            Database(self.dynamodb, self.stage), Micros(system_clock() + (HOLD_MINUTES + 1) * MINUTE), KeyBudgets
        )

    async def assert_untouched(self, account: Account) -> None:
        """Nothing is held, nothing charged, no quota used, nothing written."""
        assert await self.wallet(account.tenant) == account.before
        assert await self.entries(account.tenant) == []

    async def assert_balanced(self, account: Account) -> int:
        """The wallet says what the entries say, these what their lines say, and nothing is held. Returns the charge."""
        wallet, entries = await self.wallet(account.tenant), await self.entries(account.tenant)
        for entry in map(entry_of, entries):
            assert entry.amount + entry.shortfall == recomputed(entry)
        charged = sum(entry["amount"] for entry in entries)
        assert wallet["h"] == {}
        assert wallet["av"] + held(wallet) + spent(wallet) == wallet["gr"] == account.before["gr"]
        assert spent(wallet) == charged
        assert wallet["bl"] + wallet["sp"] == wallet["bud"]
        return charged

    async def _get(self, table: Table, key: Item) -> Item:
        request = {"TableName": physical_name(self.stage, table), "Key": to_item(key), "ConsistentRead": True}
        return from_item((await self.dynamodb.call("GetItem", request)).get("Item", {}))


@dataclass(slots=True)
class Sleeps:
    """Takes the place of the waits between tries: notes them and returns at once."""

    taken: list[float] = field(default_factory=list[float])

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@dataclass(frozen=True, slots=True)
class ServedGateway:
    """A gateway that serves at `url`."""

    url: str
    container: Container
    sleeps: Sleeps
    image_objects: MemoryObjects


def settings_for(store: StageTables, providers_file: Path, peppers: tuple[bytes, ...] = (PEPPER,)) -> CoreSettings:
    """Settings as the environment would give them."""
    return CoreSettings(
        stage=store.stage,
        region=REGION,
        dynamodb_endpoint=store.endpoint,
        peppers=",".join(pepper.hex() for pepper in peppers),
        providers_file=str(providers_file),
    )


class ForgetfulHealth(RouteHealth):
    """Health that forgets failures, so that tests which share a gateway can't close a route to each other."""

    def fail(self, route: ProviderRoute, wait_seconds: float = 0) -> None:
        """Note nothing."""


async def _unpaced(seconds: float) -> None:
    await asyncio.sleep(0 if seconds <= CHUNK_SECONDS else seconds)


@contextmanager
def gateway_at_work(
    settings: CoreSettings,
    *,
    clock: Clock = system_clock,
    dynamodb: DynamoDB | None = None,
    health: RouteHealth | None = None,
    catalog: Catalog | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Generator[ServedGateway]:
    """Serve the application with `settings` until the block ends. Images are in memory where there is no bucket.

    Waits between tries are skipped, and the sandbox's ordinary pace; delays that a prompt asks for are kept.
    """
    sleeps = Sleeps()
    made = create_container(settings, clock, dynamodb, catalog)
    sandbox = SandboxProvider(time.time, _unpaced)
    router = Router(
        made.catalog,
        environment,
        lambda: sandbox,
        sleeps,
        fetch=made.media.fetch,
        health=health or ForgetfulHealth(clock),
    )
    objects = MemoryObjects()
    images = made.images if settings.images_bucket else ImageHistory(made.database, objects, clock)
    container = replace(made, router=router, images=images, files=Files(made.database, MemoryFiles(), clock))
    with uvicorn_serving(create_app(container)) as url:
        yield ServedGateway(url, container, sleeps, objects)
