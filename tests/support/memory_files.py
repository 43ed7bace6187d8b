"""The bytes of files in memory, for tests without S3."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from callmissed.aws.buckets import BucketUnavailable
from callmissed.files.storage import FileObject, ObjectMissing, UploadForm


@dataclass(slots=True)
class MemoryFiles:
    """`FileStorage` as S3 behaves. `fails` says of an operation whether it fails; `before_read` runs before a read."""

    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    fails: Callable[[str], bool] = lambda _operation: False
    before_read: Callable[[], None] = lambda: None
    read_bytes: int = 0

    async def put(self, name: str, body: bytes) -> str:
        """See `FileStorage.put`."""
        self._check("put")
        self.objects[name] = body
        return _etag(body)

    async def head(self, name: str) -> FileObject | None:
        """See `FileStorage.head`."""
        self._check("head")
        body = self.objects.get(name)
        return None if body is None else FileObject(len(body), _etag(body))

    async def read(self, name: str, etag: str, start: int, end: int) -> bytes:
        """See `FileStorage.read`."""
        self.before_read()
        self._check("read")
        body = self.objects.get(name)
        if body is None or _etag(body) != etag:
            raise ObjectMissing("NoSuchKey")
        self.read_bytes += len(body[start:end])
        return body[start:end]

    async def remove(self, name: str) -> None:
        """See `FileStorage.remove`."""
        self._check("remove")
        self.objects.pop(name, None)

    async def form(self, name: str, size: int, seconds: int) -> UploadForm:
        """See `FileStorage.form`."""
        self._check("form")
        return UploadForm("https://files.example/", {"key": name, "size": str(size), "seconds": str(seconds)})

    async def link(self, name: str, disposition: str) -> str:
        """See `FileStorage.link`."""
        self._check("link")
        return f"https://files.example/{name}?as={disposition}"

    def _check(self, operation: str) -> None:
        if self.fails(operation):
            raise BucketUnavailable("as the test says")


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
