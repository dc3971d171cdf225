"""Files over HTTP: put by streaming, got by whoever is shown a contract that names them."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from interfirm.api.rest.endpoints import BINARY, Asked, Endpoint, Parameter, Reply, Returned
from interfirm.api.rest.reading import check_media_type, chunks
from interfirm.api.rest.schemas import REF, closed, reference, text
from interfirm.base.errors import check
from interfirm.base.limits import LIMITS

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_CONTENT = Parameter("content", text("^[0-9a-f]{64}$", chars_max=64), "Its SHA-256.", place="path", example="0" * 64)
_BY = Parameter("ref", text(REF, chars_max=74), "A contract that names it, and that the caller may read.",
                required=True, example="0" * 64 + ":0")  # fmt: skip


async def _put(door: Door, asked: Asked) -> Reply:
    """Keep what comes; nobody is shown it before a contract names it."""
    check_media_type(asked.request.headers, BINARY)
    with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
        await _received(asked.request, file)
        size = file.tell()
        file.seek(0)
        content = await asyncio.to_thread(door.port.attachment_put, asked.caller, _read(file))
    place = f"/v1/documents/{content.hex()}"
    return Reply(201, {"content": content.hex(), "size_bytes": size}, headers=(("Location", place),))


async def _received(request: Request, file: Any) -> None:
    async for chunk in chunks(request, bytes_max=LIMITS.attachment_bytes_max):
        await asyncio.to_thread(file.write, chunk)


def _read(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


async def _get(door: Door, asked: Asked) -> Response:
    content = asked.path["content"]
    named = await named_in(door, asked, content)
    file = await asyncio.to_thread(door.port.attachment_open, bytes.fromhex(content))
    media_type = str(named["media_type"]).lower()
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(_plain_name(str(named['name'])), safe='')}",
        "Content-Length": str(_size(file)),
        "ETag": f'"{content}"',
    }
    known = _MEDIA_TYPE.fullmatch(media_type) is not None
    return StreamingResponse(_sent(file), headers=headers, media_type=media_type if known else BINARY)


async def named_in(door: Door, asked: Asked, content: str) -> dict[str, Any]:
    """What the contract `ref`, as the caller is shown it, says of a file; Refusal `vault.attachment-unknown`."""
    shown = await door.port.ask(asked.caller, "contracts.show", {"ref": asked.query["ref"]})
    assert isinstance(shown, dict)
    found = list(_named(shown["fields"], content))
    check(bool(found), "vault.attachment-unknown", "the contract names no such file", content=content)
    return found[0]


def _named(value: Any, content: str) -> Iterator[dict[str, Any]]:
    """Where a file is named: by an attachment, or by its hash alone."""
    if isinstance(value, dict):
        if value.get("content") == content and {"media_type", "name"} <= value.keys():
            yield value
        for inner in value.values():
            yield from _named(inner, content)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, content)
    elif value == content:
        yield {"media_type": BINARY, "name": content}


def _plain_name(name: str) -> str:
    """The last part of a file's name, without what a file system could take for more."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in last if character.isprintable()).strip(". ")[:200] or "document"


def _size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


async def _sent(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


_KEPT = closed({"content": reference("Hash"), "size_bytes": {"type": "integer"}})
ENDPOINTS = (
    Endpoint(
        name="documents.put", method="POST", path="/v1/documents", about="Keep a file, to be named by a contract.",
        tag="documents", handle=_put, file=True,
        returned={201: Returned("It is kept.", _KEPT, headers=("Location",))},
    ),
    Endpoint(
        name="documents.get", method="GET", path="/v1/documents/{content}", tag="documents", handle=_get,
        about="Get a file that a contract names.", parameters=(_CONTENT, _BY), refusals=(404,),
        returned={200: Returned("The file.", media_type=BINARY, headers=("Content-Disposition", "ETag"))},
    ),
)  # fmt: skip
"""See the module."""
