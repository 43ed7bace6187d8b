"""Authentication: finds the key of a secret under any live pepper, and admits its call.

A key is first looked up where this process saw it last, else under the current pepper. If it is not there, all peppers
are tried from the oldest to the current one: keys move in that direction (callmissed.keys.rotation.pepper_rotation),
so that a key that moves at the same time is found.
"""

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.errors import ApiError, invalid_api_key, service_unavailable
from callmissed.keys.admission import Admission, Admitted, remember
from callmissed.keys.records import read_key_item
from callmissed.keys.rotation.pepper_rotation import PepperRotation
from callmissed.keys.secret import key_hash
from callmissed.money import MicroCredits

_LOOKS = 4


class KeyAuthenticator:
    """Admits calls of keys under any of the live `peppers`, the current one first. Share one per process."""

    def __init__(self, database: Database, admission: Admission, peppers: tuple[bytes, ...]) -> None:
        self._database = database
        self._admission = admission
        self._peppers = peppers
        self._rotation = PepperRotation(database)
        self._homes: dict[str, str] = {}

    async def admit(self, secret: str, estimate: MicroCredits, now: Micros) -> Admitted:
        """As `Admission.admit`, for the key of `secret`.

        An unknown key costs one failed write and, while there are several peppers, a read for each. A key under an
        older pepper is moved before the answer, once; a failed move does not affect the call.
        """
        hashes = [key_hash(pepper, secret) for pepper in self._peppers]
        if len(hashes) == 1:
            return await self._admission.admit(hashes[0], estimate, now)
        home = self._homes.get(hashes[0], hashes[0])
        for _ in range(_LOOKS):
            try:
                admitted = await self._admission.admit(home, estimate, now)
            except ApiError as error:
                if error.status != 401:
                    raise
                home = await self._locate(hashes, now)
                self._saw(hashes[0], home)
            else:
                admitted = await self._rotation.bring_home(admitted, hashes)
                self._saw(hashes[0], admitted.key.key_hash)
                return admitted
        raise service_unavailable()

    async def _locate(self, hashes: list[str], now: Micros) -> str:
        """The id under which the key works, or would in an active tenant. Raises ApiError 401 when there is none."""
        for hashed in reversed(hashes):
            item = await read_key_item(self._database, hashed)
            if item and (item.works(now) or item.is_closed(now)):
                return hashed
        raise invalid_api_key()

    def _saw(self, current: str, home: str) -> None:
        if home == current:
            self._homes.pop(current, None)
        else:
            remember(self._homes, current, home)
