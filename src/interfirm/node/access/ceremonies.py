"""How a passkey is made and how it is shown (WebAuthn), by py_webauthn. Pure; takes a second to be imported first.

A passkey is found by its authenticator, so nobody types a name, and the authenticator sees that it is its owner: that
makes it something one has and something one knows or is. Source: Web Authentication Level 2 sections 7.1 and 7.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.node.access.passkeys import Passkey

_FOUND_AND_VERIFIED = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
)
_FAULTS = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What the library raises over what is no credential."""
ID_BYTES_MAX = 1023
"""A credential's id, by the standard."""


def making(person: str, *, host: str, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
    """What `navigator.credentials.create` is given to make a passkey for a person."""
    options = generate_registration_options(
        rp_id=host, rp_name=host, user_name=person, user_id=handle_of(person), challenge=challenge,
        timeout=LIMITS.sign_in_ms_max, authenticator_selection=_FOUND_AND_VERIFIED,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes.fromhex(each.id)) for each in known],
    )  # fmt: skip
    return _plain(options)


def made(
    credential: Mapping[str, Any],
    person: str,
    *,
    host: str,
    origin: str,
    challenge: bytes,
    note: str,
    now_ms: int,
) -> Passkey:
    """The passkey that an authenticator made; Refusal `access.passkey-proof`."""
    try:
        found = verify_registration_response(
            credential=dict(credential), expected_challenge=challenge, expected_rp_id=host, expected_origin=origin,
            require_user_verification=True,
        )  # fmt: skip
    except _FAULTS as error:
        raise Refusal("access.passkey-proof", "the passkey does not prove itself", reason=_reason(error)) from error
    check(len(found.credential_id) <= ID_BYTES_MAX, "access.passkey-proof", "the passkey's id is too long")
    return Passkey(
        id=found.credential_id.hex(), person=person, public_key=found.credential_public_key, count=found.sign_count,
        note=note[:80], created_ms=now_ms,
    )  # fmt: skip


def showing(*, host: str, challenge: bytes) -> dict[str, Any]:
    """What `navigator.credentials.get` is given to show a passkey, of whomever it is."""
    return _plain(generate_authentication_options(
        rp_id=host, challenge=challenge, timeout=LIMITS.sign_in_ms_max,
        user_verification=UserVerificationRequirement.REQUIRED,
    ))  # fmt: skip


def id_of(credential: Mapping[str, Any]) -> bytes:
    """The id of the passkey that is shown; Refusal `access.sign-in`."""
    try:
        return base64url_to_bytes(credential["id"])
    except _FAULTS as error:
        raise Refusal("access.sign-in", "this is no passkey", reason=_reason(error)) from error


def shown(credential: Mapping[str, Any], passkey: Passkey, *, host: str, origin: str, challenge: bytes) -> int:
    """How often the passkey was used by its own count, now that it was shown; Refusal `access.sign-in`.

    A count that does not grow tells of a copy of the passkey.
    """
    try:
        found = verify_authentication_response(
            credential=dict(credential), expected_challenge=challenge, expected_rp_id=host, expected_origin=origin,
            credential_public_key=passkey.public_key, credential_current_sign_count=passkey.count,
            require_user_verification=True,
        )  # fmt: skip
        handle = credential["response"].get("userHandle")
        theirs = handle is None or base64url_to_bytes(handle) == handle_of(passkey.person)
    except _FAULTS as error:
        raise Refusal("access.sign-in", "the passkey does not prove itself", reason=_reason(error)) from error
    check(theirs, "access.sign-in", "the passkey is somebody else's")
    return found.new_sign_count


def handle_of(person: str) -> bytes:
    """What an authenticator knows a person by: no name, and the same for all passkeys."""
    return digest("passkey-person", person)


def _plain(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
