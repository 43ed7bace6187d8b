"""Counts of a conversation's answers, for the bot's limits."""

from datetime import UTC, datetime

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros
from functions.bots.conversations.records import StoredConversation


def with_one_more(conversation: StoredConversation, now: Micros) -> Item:
    """The attributes of the conversation with one more answer."""
    return {
        "answers": conversation.answers + 1,
        "answers_day": day_of(now),
        "answers_today": answers_today(conversation, now) + 1,
    }


def answers_today(conversation: StoredConversation, now: Micros) -> int:
    """Answers in the UTC day of `now`."""
    return conversation.answers_today if conversation.answers_day == day_of(now) else 0


def day_of(now: Micros) -> int:
    """The UTC day as a number, such as 20261128."""
    moment = datetime.fromtimestamp(now / SECOND, UTC)
    return moment.year * 10_000 + moment.month * 100 + moment.day
