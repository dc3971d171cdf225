"""A validator's JSON-RPC, over one connection that is kept open; for one thread at a time."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
from typing import Any
from urllib.parse import urlsplit

from interfirm.base.errors import Refusal

ANSWER_BYTES_MAX = 64 * 1024 * 1024


class Rpc:
    """Asks the validator at an address such as `http://127.0.0.10:26657`."""

    def __init__(self, address: str, *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None, "an address names a host"
        self.address = address
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        self._numbers = itertools.count()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method; Refusal `rpc.unreachable`, `rpc.answer`, or `rpc.refused` with the validator's words.

        Byte strings among the parameters travel as base64, as the engine wants them.
        """
        plain = {name: _plain(value) for name, value in params.items()}
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": plain})
        found = self._ask(body)
        if "error" in found:
            error = found["error"]
            raise Refusal("rpc.refused", "the validator refused", method=method, reason=error.get("message"),
                          data=str(error.get("data"))[:500])  # fmt: skip
        result: dict[str, Any] = found["result"]
        return result

    def _ask(self, body: str) -> dict[str, Any]:
        try:
            answer = self._answer(body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Refusal(
                "rpc.unreachable", "the validator does not answer", address=self.address, reason=str(error)
            ) from error
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError) as error:
            self._connection.close()
            raise Refusal("rpc.answer", "the validator's answer is not JSON", address=self.address) from error
        told = found if isinstance(found, dict) else {}
        if not isinstance(told.get("error", told.get("result")), dict):
            raise Refusal("rpc.answer", "the validator's answer is neither a result nor an error", address=self.address)
        return told

    def _answer(self, body: str) -> bytes:
        """One exchange; a kept connection that the validator has closed meanwhile is opened anew, once."""
        was_open = self._connection.sock is not None
        try:
            return self._exchange(body)
        except (ConnectionError, http.client.RemoteDisconnected):
            self._connection.close()
            if not was_open:
                raise
            return self._exchange(body)

    def _exchange(self, body: str) -> bytes:
        self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return self._connection.getresponse().read(ANSWER_BYTES_MAX)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
