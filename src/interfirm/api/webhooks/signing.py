"""Signatures of webhooks: HMAC-SHA256 over id, time and body. Pure. Source: Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signed_headers(secret: str, *, message: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one delivery; `secret` is `whsec_` and base64, `message` the same at every attempt."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{message}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "Webhook-Id": message,
        "Webhook-Timestamp": str(at_s),
        "Webhook-Signature": "v1," + base64.b64encode(signature).decode(),
    }
