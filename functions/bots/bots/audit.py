"""Audit events of bots. They name no prompt and no value of a configuration."""

from typing import Any

from callmissed.audit.events import Actor, AuditEvent
from functions.bots.bots.records import Bot


def bot_event(action: str, bot: Bot, actor: Actor, metadata: dict[str, Any]) -> AuditEvent:
    """What `actor` did to the bot."""
    return AuditEvent(bot.tenant, f"bot.{action}", "bot", bot.id, actor, metadata)


def described(bot: Bot) -> dict[str, Any]:
    """What an event says of a bot."""
    return {
        "name": bot.name,
        "type": str(bot.type),
        "is_active": bot.is_active,
        "system_prompt_length": len(bot.system_prompt),
        "config": sorted(bot.config or {}),
    }


def difference(before: Bot, after: Bot) -> dict[str, Any]:
    """What a change changed: values before and after it, and names of replaced fields whose values are not shown."""
    old, new = described(before), described(after)
    changed = [name for name in old if old[name] != new[name]]
    is_replaced = {
        "system_prompt": before.system_prompt != after.system_prompt,
        "config": (before.config, before.sealed) != (after.config, after.sealed),
    }
    return {
        "before": {name: old[name] for name in changed},
        "after": {name: new[name] for name in changed},
        "replaced": [name for name, replaced in is_replaced.items() if replaced],
    }
