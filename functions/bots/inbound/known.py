"""What is known when a message comes: the number, its bot, and the end user. One round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.platform.tables import BOTS, CONVERSATIONS
from callmissed.tenants.bots import bot_key
from functions.bots.bots.config import BotConfig
from functions.bots.bots.records import bot_of
from functions.bots.conversations.records import KnownUser, known_user_of, user_key
from functions.bots.numbers.records import PhoneNumber, number_key, number_of

_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class AnsweringBot:
    """The bot of a number, as far as its messages depend on it."""

    id: str
    config: BotConfig


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a number and an end user. `users` has what the end user's names are known by.

    `number` is None for one that was only typed into the settings; `bot` where none is linked.
    """

    number: PhoneNumber | None
    bot: AnsweringBot | None
    users: Mapping[str, KnownUser] = field(default_factory=dict[str, KnownUser])

    @property
    def answers(self) -> bool:
        """Whether a bot answers the number."""
        return self.bot is not None and self.number is not None and self.number.autoreply

    @property
    def opted_out(self) -> bool:
        """Whether the end user wants no bot, under any name."""
        return any(user.opted_out for user in self.users.values())

    @property
    def conversation_ids(self) -> tuple[str, ...]:
        """The latest conversations of the end user's names, that of the BSUID first; more than one only by accident."""
        return tuple(dict.fromkeys(self.users[key].conversation_id for key in sorted(self.users)))


class KnownNumbers:
    """Reads what is known.

    A number's bot is remembered, so that it can be read together with the number. It is used only if the number still
    names it, so nothing here is older than the read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bots: dict[tuple[str, str], str] = {}

    async def find(self, tenant: str, number_id: str, names: Sequence[str]) -> Known:
        """What is known now of the number, and of the end user with the keys `names`, strongly consistent.

        Raises Unavailable.
        """
        place = (tenant, number_id)
        keys = [(CONVERSATIONS, user_key(tenant, number_id, key)) for key in names]
        remembered = self._bots.get(place)
        if remembered:
            keys.append((BOTS, bot_key(tenant, remembered)))
        number_item, *items = await self._database.get_across((BOTS, number_key(tenant, number_id)), *keys)
        number = number_of(number_item) if number_item else None
        bot_item = items.pop() if remembered else {}
        users = {key: known_user_of(item) for key, item in zip(names, items, strict=True) if item}
        return Known(number, await self._bot(number, bot_item), users)

    async def _bot(self, number: PhoneNumber | None, item: Item) -> AnsweringBot | None:
        if number is None or number.bot_id is None:
            return None
        if item.get("id") != number.bot_id:
            item = await self._database.get(BOTS, bot_key(number.tenant, number.bot_id))
            self._remember(number)
        return _answering(item) if item else None

    def _remember(self, number: PhoneNumber) -> None:
        if len(self._bots) >= _MAX_REMEMBERED:
            self._bots.clear()
        self._bots[number.tenant, number.number_id] = number.bot_id or ""


def _answering(item: Item) -> AnsweringBot:
    bot = bot_of(item)
    return AnsweringBot(bot.id, BotConfig.of(bot.config))
