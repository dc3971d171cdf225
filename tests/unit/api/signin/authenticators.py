"""An authenticator in software (WebAuthn Level 2): makes passkeys, keeps them, and signs with them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """Holds one passkey. Its attributes may be changed to what an attacker would have."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin = origin
        self.host = ""
        self.flags = PRESENT | VERIFIED
        self.counts = counts
        self.count = 0
        self.id = b""
        self.handle: bytes | None = None
        self.key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: Mapping[str, Any], **client: Any) -> dict[str, Any]:
        """What `navigator.credentials.create` gives."""
        asked = options["publicKey"]
        assert {"type": "public-key", "alg": -7} in asked["pubKeyCredParams"]
        self.host = self.host or asked["rp"]["id"]
        self.handle = unb64(asked["user"]["id"])
        self.id = self.id or hashlib.sha256(str(id(self)).encode()).digest()
        data = self._data(ATTESTED) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self._cose()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            attestationObject=b64(attestation), clientDataJSON=self._client("webauthn.create", asked, client)
        )

    def get(self, options: Mapping[str, Any], **client: Any) -> dict[str, Any]:
        """What `navigator.credentials.get` gives."""
        asked = options["publicKey"]
        self.host = self.host or asked["rpId"]
        data, told = self._data(0), self._client("webauthn.get", asked, client)
        signature = self.key.sign(data + hashlib.sha256(unb64(told)).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            authenticatorData=b64(data), clientDataJSON=told, signature=b64(signature),
            userHandle=None if self.handle is None else b64(self.handle),
        )  # fmt: skip

    def _credential(self, **response: Any) -> dict[str, Any]:
        name = b64(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _data(self, flags: int) -> bytes:
        self.count += self.counts
        return hashlib.sha256(self.host.encode()).digest() + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, asked: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
        told = {"type": kind, "challenge": asked["challenge"], "origin": self.origin, "crossOrigin": False}
        return b64(json.dumps({**told, **changes}).encode())

    def _cose(self) -> bytes:
        point = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
