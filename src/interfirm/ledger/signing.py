"""Signatures over a transaction id, with the metadata they cover (spec clause 3)."""

from __future__ import annotations

from interfirm.base import codec, signatures
from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey, Signer
from interfirm.ledger.types import PLATFORM_VERSION, TransactionSignature

PARTY, NOTARY, CHANNEL = "party", "notary", "channel"
WITHDRAWAL = "withdrawal"


def signed_bytes(transaction: bytes, identity: bytes, key: PublicKey, platform_version: int, purpose: str) -> bytes:
    """The block that is signed: tag, transaction id, identity, scheme, platform version, purpose."""
    return codec.encode_plain(["signature", transaction, identity, key.scheme.value, platform_version, purpose])


def sign(signer: Signer, identity: bytes, transaction: bytes, *, purpose: str = PARTY) -> TransactionSignature:
    """The identity's signature over the transaction id; the key may be a later one of the identity."""
    key = signer.public
    message = signed_bytes(transaction, identity, key, PLATFORM_VERSION, purpose)
    return TransactionSignature(
        identity=identity, key=key, platform_version=PLATFORM_VERSION, purpose=purpose, signature=signer.sign(message)
    )


def check_signature(signature: TransactionSignature, transaction: bytes, *, purpose: str = PARTY) -> None:
    """Refuse (`signature.*`) unless this is a signature of its key over this id for this purpose.

    Whether the key is the identity's is the registry's to say, at acceptance.
    """
    if signature.purpose != purpose:
        raise Refusal("signature.purpose", "signed for another purpose", purpose=signature.purpose, expected=purpose)
    if signature.platform_version > PLATFORM_VERSION or signature.platform_version < 1:
        raise Refusal("signature.platform", "signed by an unknown platform", version=signature.platform_version)
    message = signed_bytes(transaction, signature.identity, signature.key, signature.platform_version, purpose)
    signatures.verify(signature.key, message, signature.signature)
