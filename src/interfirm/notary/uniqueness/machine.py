"""Judging effects: refs active here, confirmers' scopes, order of entries, listed signatures, time (spec clause 8).

A ref's value in the state is one byte and 32: `A` active + commitment to confirmers, `C` consumed + hash of the
consumer's id, `L` locked + lock id (the lock's record keeps the commitment).
"""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.ledger import tree
from interfirm.ledger.authority import confirming
from interfirm.ledger.types import (
    FORMAT_VERSION,
    ConfirmersOpening,
    ConsumeEntry,
    CreateEntry,
    Entry,
    Header,
    Line,
    UseEntry,
    entry_hashes,
    transaction_id,
)
from interfirm.notary.state import REFS, Overlay
from interfirm.notary.types import Notarise, ref_key

ACTIVE, CONSUMED, LOCKED = b"A", b"C", b"L"


def transaction_of(request: Notarise) -> bytes:
    """The id of the transaction a request speaks of; it follows from the parts, so nothing in them can be changed."""
    return transaction_id(
        request.header.hash, entry_hashes(request.entries), [line.hash for line in request.lines], request.roots,
        request.components,
    )  # fmt: skip


def check_header(header: Header, network: bytes, notary: bytes, now: Instant, *, limits: AgreedLimits = LIMITS) -> None:
    """Refuse another format, network or notary, and a time outside the window (`notary.*`)."""
    if header.version != FORMAT_VERSION:
        raise Refusal("notary.version", "unknown format version", version=header.version)
    if header.network != network:
        raise Refusal("notary.network", "a transaction of another network", network=header.network)
    if header.notary != notary:
        raise Refusal("notary.other-notary", "a transaction of another notary", notary=header.notary)
    window = header.window
    if window.lower is not None and now < window.lower:
        raise Refusal("notary.too-early", "the window has not begun", lower=window.lower, now=now)
    if now >= window.upper:
        raise Refusal("notary.too-late", "the window has ended", upper=window.upper, now=now)
    if window.upper.ms - now.ms > limits.window_ms_max:
        raise Refusal("notary.window", "the window ends too far ahead", upper=window.upper, now=now)


def check_sizes(request: Notarise, limits: AgreedLimits = LIMITS) -> None:
    """Refuse what is over a limit before any work is done for it (`notary.limit`), and what nobody signs."""
    entries, claims_max = request.entries, limits.claims_count_max
    fits = (
        len(entries) <= limits.entries_count_max
        and len(request.lines) <= limits.lines_count_max
        and len(request.roots) <= limits.entries_count_max
        and len(request.components) <= limits.components_count_max
        and len(request.reservations) <= claims_max
        and len(request.seals) <= limits.sealed_bytes_max
    )
    if not fits or any(type(e) is CreateEntry and len(e.claims) > claims_max for e in entries):
        raise _over(request, limits)
    if not entries or not request.lines:
        raise Refusal("notary.empty", "a transaction does something, and somebody signs it")


def _over(request: Notarise, limits: AgreedLimits) -> Refusal:
    """Which limit it is that a request is over."""
    claims = max([len(e.claims) for e in request.entries if isinstance(e, CreateEntry)], default=0)
    part, count, count_max = next(
        part
        for part in (
            ("entries", len(request.entries), limits.entries_count_max),
            ("lines", len(request.lines), limits.lines_count_max),
            ("roots", len(request.roots), limits.entries_count_max),
            ("components", len(request.components), limits.components_count_max),
            ("reservations", len(request.reservations), limits.claims_count_max),
            ("seals", len(request.seals), limits.sealed_bytes_max),
            ("claims", claims, limits.claims_count_max),
        )
        if part[1] > part[2]
    )
    return Refusal("notary.limit", "over a limit", part=part, count=count, count_max=count_max)


def scopes_of(request: Notarise) -> dict[bytes, frozenset[int]]:
    """The listed scopes by identity; refuses an identity listed twice and a scope that is no sorted set of entries."""
    scopes: dict[bytes, frozenset[int]] = {}
    count = len(request.entries)
    for opening in request.lines:
        line: Line = opening.line
        if line.identity in scopes:
            raise Refusal("notary.line-twice", "an identity is listed twice", identity=line.identity)
        scope = frozenset(line.scope)
        if tuple(sorted(scope)) != line.scope or not line.scope or line.scope[-1] >= count:
            raise Refusal("notary.scope", "a scope is a sorted set of entries", identity=line.identity)
        scopes[line.identity] = scope
    return scopes


def judge(request: Notarise, state: Overlay, scopes: dict[bytes, frozenset[int]]) -> None:
    """Refuse unless every ref is active here, in order, and confirmed (`notary.unknown`, `.consumed`, ...)."""
    openings = {opening.entry: opening for opening in request.confirmers}
    if len(openings) != len(request.confirmers):
        raise Refusal("notary.opening", "confirmers of an entry are opened twice")
    consumed: set[ContractRef] = set()
    opened = 0
    for index, entry in enumerate(request.entries):
        if isinstance(entry, CreateEntry):
            continue
        commitment = _commitment(entry, index, request.entries, state)
        if entry.ref in consumed:
            raise Refusal("notary.consumed-twice", "a ref is named after it was consumed", entry=index)
        if isinstance(entry, (ConsumeEntry, UseEntry)):
            opening = openings.get(index)
            if opening is None:
                raise Refusal("notary.opening", "the confirmers of an entry are not opened", entry=index)
            opened += 1
            _check_confirmed(opening, commitment, request, scopes)
        if isinstance(entry, ConsumeEntry):
            consumed.add(entry.ref)
    if opened != len(openings):
        raise Refusal("notary.opening", "confirmers are opened of an entry that needs none")


def _commitment(entry: Entry, index: int, entries: tuple[Entry, ...], state: Overlay) -> bytes:
    """The commitment to the confirmers of the ref an entry names; refuses one that is not active here."""
    assert not isinstance(entry, CreateEntry)
    ref = entry.ref
    if ref.transaction is None:
        made = entries[ref.index] if 0 <= ref.index < index else None
        if not isinstance(made, CreateEntry):
            raise Refusal("notary.local-ref", "a local ref names no earlier create", entry=index, ref=ref.index)
        return made.confirmers
    return active(ref, state)


def active(ref: ContractRef, state: Overlay) -> bytes:
    """The commitment of an active ref; Refusal `notary.unknown`, `notary.consumed` or `notary.locked`."""
    value = state.get(REFS, ref_key(ref))
    if value is None:
        raise Refusal("notary.unknown", "the ref is not known here", transaction=ref.transaction, index=ref.index)
    kind, detail = value[:1], value[1:]
    if kind == CONSUMED:
        raise Refusal(
            "notary.consumed", "the ref was consumed", transaction=ref.transaction, index=ref.index,
            consumer_hash=detail,
        )  # fmt: skip
    if kind == LOCKED:
        raise Refusal("notary.locked", "the ref is locked for a move", transaction=ref.transaction, index=ref.index)
    return detail


def _check_confirmed(
    opening: ConfirmersOpening, commitment: bytes, request: Notarise, scopes: dict[bytes, frozenset[int]]
) -> None:
    """Refuse an opening that does not match, and an entry outside the scope of one of its confirmers."""
    if tree.confirmers_commitment(opening.salt, opening.confirmers) != commitment:
        raise Refusal("notary.opening", "the opening is not what the output committed to", entry=opening.entry)
    signers = [party for party, scope in scopes.items() if opening.entry in scope]
    missing = [p for p in confirming(opening.confirmers, request.header.window, signers) if p not in signers]
    if missing:
        raise Refusal(
            "notary.confirmers", "a confirmer's listed signature does not cover the entry", entry=opening.entry,
            missing=[p.hex()[:16] for p in missing],
        )  # fmt: skip


def apply(request: Notarise, transaction: bytes, state: Overlay) -> list[tuple[bytes, bytes]]:
    """Record an accepted transaction; returns (ref key, consumer's id hash) of each ref it consumed from outside."""
    consumer = consumer_hash(transaction)
    gone = []
    for index, entry in enumerate(request.entries):
        if isinstance(entry, CreateEntry):
            state.put(REFS, transaction + index.to_bytes(4, "big"), ACTIVE + entry.confirmers)
        elif isinstance(entry, ConsumeEntry):
            ref = entry.ref
            if ref.transaction is None:  # made by an earlier entry
                state.put(REFS, transaction + ref.index.to_bytes(4, "big"), CONSUMED + consumer)
            else:
                gone.append((key := ref_key(ref), consumer))
                state.put(REFS, key, CONSUMED + consumer)
    return gone


def consumer_hash(transaction: bytes) -> bytes:
    """What a notary tells of a consumer: a hash of its id, which only who knows the id can recognise."""
    return digest("consumer", transaction)
