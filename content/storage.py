"""Where uploaded files lie: a folder of the tenant, or a bucket of an S3-compatible store when SCRM_STORAGE names one.

Nobody reads a file by its place: links are signed and end soon, except those of covers, which WeCom keeps.
"""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tenants.isolation import require_tenant, tenant_path

PIECE = 256 * 1024
TIMEOUT = 20.0
SPOOLED = 4 * 1024 * 1024


class Missing(Exception):
    """The row is there, the file is not."""


class Store(Protocol):
    """A place for files. Keys are names of one part; each tenant has its own."""

    def put(self, key: str, file: IO[bytes], size: int, mime: str) -> None: ...

    def open(self, key: str) -> IO[bytes]: ...

    def delete(self, key: str) -> None: ...

    def address(self, key: str, name: str, *, inline: bool, seconds: int) -> str | None:
        """A signed address at which the store itself hands the file out; None where we do."""


class Folder:
    """`var/files/<tenant>/content/`: written beside and renamed, so that half a file is never read."""

    def put(self, key: str, file: IO[bytes], size: int, mime: str) -> None:
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, half = tempfile.mkstemp(dir=place.parent, prefix="half-")
        try:
            with os.fdopen(descriptor, "wb") as copy:
                for piece in pieces(file):
                    copy.write(piece)
                copy.flush()
                os.fsync(copy.fileno())
            Path(half).replace(place)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise

    def open(self, key: str) -> IO[bytes]:
        try:
            return self._place(key).open("rb")
        except FileNotFoundError:
            raise Missing(key) from None

    def delete(self, key: str) -> None:
        self._place(key).unlink(missing_ok=True)

    def address(self, key: str, name: str, *, inline: bool, seconds: int) -> str | None:
        return None

    @staticmethod
    def _place(key: str) -> Path:
        return tenant_path("content", key[:2], key)


class Bucket:
    """A bucket; the keys of a tenant begin with its schema."""

    def __init__(self, url: str) -> None:
        from minio import Minio, api  # only where a bucket is configured

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.username or not parts.password:
            raise ImproperlyConfigured("SCRM_STORAGE must be like https://KEY:SECRET@s3.example.com/bucket")
        self.name = parts.path.strip("/")
        if not self.name or "/" in self.name:
            raise ImproperlyConfigured("SCRM_STORAGE must end with the name of one bucket")
        region = parse_qs(parts.query).get("region", [""])[0]
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
        self.client: Any = Minio(
            endpoint=host,
            access_key=unquote(parts.username),
            secret_key=unquote(parts.password),
            secure=parts.scheme == "https",
            region=region
            or "us-east-1",  # what MinIO and its like take; asking for it would be a call before each first
            http_client=api.urllib3.PoolManager(timeout=TIMEOUT, retries=2),  # the library's own waits five minutes
        )

    def put(self, key: str, file: IO[bytes], size: int, mime: str) -> None:
        file.seek(0)
        self.client.put_object(
            bucket_name=self.name, object_name=self._key(key), data=file, length=size, content_type=mime
        )

    def open(self, key: str) -> IO[bytes]:
        return self._read(self._key(key))

    def _read(self, name: str) -> IO[bytes]:
        answer = None
        try:
            answer = self.client.get_object(bucket_name=self.name, object_name=name)
            copy = tempfile.SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115  the reader closes it
            for piece in answer.stream(PIECE):
                copy.write(piece)
            copy.seek(0)
            return cast(IO[bytes], copy)
        except Exception as error:
            if getattr(error, "code", "") == "NoSuchKey":
                raise Missing(name) from None
            raise
        finally:
            if answer is not None:
                answer.close()
                answer.release_conn()

    def delete(self, key: str) -> None:
        self.client.remove_object(bucket_name=self.name, object_name=self._key(key))

    def names_of(self, schema: str) -> Iterator[str]:
        found = self.client.list_objects(bucket_name=self.name, prefix=f"{schema}/", recursive=True)
        return (one.object_name for one in found)

    def delete_all(self, schema: str) -> int:
        names = list(self.names_of(schema))
        for name in names:
            self.client.remove_object(bucket_name=self.name, object_name=name)
        return len(names)

    def copy_all(self, schema: str, to: Path) -> int:
        names = list(self.names_of(schema))
        for name in names:
            place = to.joinpath(*PurePosixPath(name).parts[1:])
            place.parent.mkdir(parents=True, exist_ok=True)
            with self._read(name) as source, place.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        return len(names)

    def address(self, key: str, name: str, *, inline: bool, seconds: int) -> str | None:
        place = f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name)}"
        signed: str = self.client.presigned_get_object(
            bucket_name=self.name,
            object_name=self._key(key),
            expires=timedelta(seconds=seconds),
            response_headers={"response-content-disposition": place},
        )
        return signed

    @staticmethod
    def _key(key: str) -> str:
        return f"{require_tenant()}/content/{key}"


@functools.cache
def _store(url: str) -> Store:
    return Bucket(url) if url else Folder()


def store() -> Store:
    return _store(settings.SCRM_STORAGE)


def copy_of_tenant(schema: str, to: Path) -> int:
    """For an export: what lies outside of the tenant's folder."""
    found = store()
    return found.copy_all(schema, to) if isinstance(found, Bucket) else 0


def delete_of_tenant(schema: str) -> int:
    """With the company go its files, wherever they lie."""
    found = store()
    return found.delete_all(schema) if isinstance(found, Bucket) else 0


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file from its start, in pieces that keep memory small."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece
