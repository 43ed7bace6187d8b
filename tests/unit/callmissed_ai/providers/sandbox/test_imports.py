import subprocess
import sys

HEAVY = ("jsonschema", "openai", "httpx2", "aiohttp", "boto3", "tiktoken", "PIL", "hypothesis")


def test_importing_the_sandbox_loads_nothing_heavy():
    code = (
        "import sys; import callmissed_ai.providers.sandbox.provider; "
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_refusing_loads_neither_the_provider_nor_pydantic():
    names = ("pydantic", "callmissed_ai.providers.sandbox.provider")
    code = (
        "import sys; import callmissed_ai.providers.sandbox.failures; "
        f"print(*[name for name in {names!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
