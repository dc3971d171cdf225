"""Notices by a signed POST of JSON, as Standard Webhooks 1.0 has it (https://www.standardwebhooks.com).

The receiver computes HMAC-SHA256 over `id.timestamp.body` with the shared secret and compares it with the signature; it
refuses timestamps that are minutes old, and knows by the id what comes twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import re
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.runtime.notify import Notice
from interfirm.runtime.watching import NotifySettings, read_secret

TIMEOUT_S = 20
SECRET_BYTES_MIN = 16
_ID = re.compile(r"[\x21-\x7e]{1,2000}")


class WebhookWay:
    """Tells by webhook; see notify.Way. Redirects are not followed: they could lead anywhere."""

    name = "webhook"

    def __init__(self, settings: NotifySettings, *, now_ms: Callable[[], int]) -> None:
        """Refusal `configuration.secret` where the secret cannot be read, or is short."""
        self._url = settings.webhook_url
        self._secret = read_secret(settings.webhook_secret_file).encode()
        long = len(self._secret) >= SECRET_BYTES_MIN
        check(long, "configuration.secret", "the secret of a webhook has 16 bytes at least",
              path=settings.webhook_secret_file)  # fmt: skip
        self._now_ms = now_ms

    def tell(self, notice: Notice) -> None:
        """Post it; Refusal `notify.webhook` unless the receiver answers with a status of 2xx, `notify.header`."""
        check(_ID.fullmatch(notice.id) is not None, "notify.header", "a header is one line", text=notice.id[:100])
        body = msgspec.json.encode({"type": f"interfirm.{notice.event}", "data": msgspec.to_builtins(notice)})
        timestamp = str(self._now_ms() // 1000)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._secret, notice.id, timestamp, body),
        }
        status = self._posted(body, headers)
        check(200 <= status < 300, "notify.webhook", "the receiver did not take it", status=status)

    def _posted(self, body: bytes, headers: dict[str, str]) -> int:
        parts = urlsplit(self._url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise Refusal("notify.webhook", "the receiver cannot be reached", reason=type(error).__name__) from error
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)


def signature(secret: bytes, name: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of the HMAC."""
    code = hmac.new(secret, b".".join((name.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return "v1," + base64.b64encode(code).decode()
