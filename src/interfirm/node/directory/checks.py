"""When an entry is one, and which of two entries stands; no clock: an entry is a record, not a permission.

Whether its certificates are good today is judged by `identity.checks` wherever they are used.
"""

from __future__ import annotations

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import PublicKey, Signer, verify
from interfirm.node.directory.types import Entry, SignedEntry, entry_digest, registration_digest
from interfirm.node.identity.checks import certified, check_rotations, check_subject
from interfirm.node.identity.types import Subject, claims_key_id


def sign_entry(entry: Entry, *, signer: Signer, registrar: Signer) -> SignedEntry:
    """The entry with both signatures; whether they are the right keys is judged by `check_entry`."""
    return SignedEntry(
        entry=entry,
        signature=signer.sign(entry_digest(entry)),
        registrar_signature=registrar.sign(registration_digest(entry)),
    )


def check_entry(signed: SignedEntry, *, network: str, registrar: PublicKey) -> Entry:
    """The entry, if it is well-formed, signed by its organisation and countersigned by the registrar.

    Raises Refusal `directory.network`, `.entry`, `.rotation`, `.signature`, `.registrar` or `.certificate`.
    """
    entry = signed.entry
    check(entry.network == network, "directory.network", "the entry is of another network", network=entry.network)
    _check_shape(entry)
    _check_signed(entry.public, entry_digest(entry), signed.signature, "directory.signature")
    _check_signed(registrar, registration_digest(entry), signed.registrar_signature, "directory.registrar")
    try:
        check_rotations(entry.identity, entry.public, entry.rotations)
    except Refusal as refusal:
        raise Refusal("directory.rotation", refusal.message, identity=entry.identity) from refusal
    _check_certificate(entry)
    return entry


def newer(current: SignedEntry | None, candidate: SignedEntry) -> SignedEntry:
    """Which of two good entries of one organisation stands: the one with the higher serial.

    Raises Refusal `directory.fork` for two entries with one serial (with both digests, as evidence against who signed
    them) and `directory.rotation` for a key that does not follow from the one in force.
    """
    if current is None:
        return candidate
    old, new = current.entry, candidate.entry
    if new.serial == old.serial:
        check(
            new == old,
            "directory.fork",
            "two entries of one organisation have the same serial number",
            identity=old.identity,
            serial=old.serial,
            digests=(entry_digest(old), entry_digest(new)),
        )
        return current
    later, earlier = (new, old) if new.serial > old.serial else (old, new)
    check(
        later.rotations[: len(earlier.rotations)] == earlier.rotations,
        "directory.rotation",
        "the key of the newer entry does not follow from the key of the older one",
        identity=old.identity,
        serial=new.serial,
    )
    return candidate if later is new else current


def _check_shape(entry: Entry) -> None:
    try:
        check_subject(Subject(legal_name=entry.legal_name, registration_id=entry.registration_id))
    except Refusal as refusal:
        raise Refusal("directory.entry", refusal.message, identity=entry.identity) from refusal
    fits = (
        len(entry.identity) == 32
        and len(entry.vrf_public) == 32
        and 1 <= entry.serial < 2**53
        and 1 <= len(entry.roles) <= LIMITS.endpoints_count_max
        and len(set(entry.roles)) == len(entry.roles)
        and len(entry.endpoints) <= LIMITS.endpoints_count_max
        and 1 <= len(entry.certificates) <= LIMITS.chain_count_max
        and len(entry.rotations) <= LIMITS.rotations_count_max
        and all(1 <= at.port <= 65_535 and 0 < len(at.host) <= 255 for at in entry.endpoints)
    )
    check(fits, "directory.entry", "a part of the entry is outside its limits", identity=entry.identity)


def _check_signed(public: PublicKey, message: bytes, signature: bytes, code: str) -> None:
    try:
        verify(public, message, signature)
    except Refusal as refusal:
        raise Refusal(code, "the entry is not signed by this key", key=public.key) from refusal


def _check_certificate(entry: Entry) -> None:
    """The certificate the entry shows speaks of the entry's own organisation and keys."""
    try:
        found = certified(entry.certificates[0])
    except Refusal as refusal:
        raise Refusal("directory.certificate", refusal.message, identity=entry.identity) from refusal
    pairs = {
        "network": (found.network, entry.network),
        "identity": (found.identity, entry.identity),
        "legal_name": (found.legal_name, entry.legal_name),
        "registration_id": (found.registration_id, entry.registration_id),
        "public": (found.signing_key_id, entry.public.identity),
        "vrf_public": (found.claims_key_id, claims_key_id(entry.vrf_public)),
    }
    for field, (certificate, said) in pairs.items():
        check(
            certificate == said,
            "directory.certificate",
            "the certificate says otherwise than the entry",
            field=field,
            certificate=certificate,
            entry=said,
        )
