"""Every limit of the ledger in one place (house manner 4). A network's governance may lower or raise them."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds that are asserted where they are used; the unit is last in each name."""

    message_bytes_max: int = 4 * 1024 * 1024
    """One encoded block or message between nodes."""
    depth_max: int = 48
    """Nesting of one block."""
    transaction_bytes_max: int = 1024 * 1024
    """One transaction, encoded whole."""
    entries_count_max: int = 1024
    """Entries (and so actions) of one transaction."""
    action_depth_max: int = 16
    """Nesting of actions below a top action."""
    lines_count_max: int = 64
    """Listed signatures of one transaction."""
    parties_count_max: int = 64
    """Parties of one contract in each role."""
    claims_count_max: int = 32
    """Claims of one created contract."""
    fields_count_max: int = 128
    """Fields of a template."""
    payload_bytes_max: int = 256 * 1024
    """One contract's payload, encoded."""
    text_chars_max: int = 65_536
    """One text or byte string made inside contract code."""
    items_count_max: int = 65_536
    """One list, tuple or map made inside contract code."""
    integer_bits_max: int = 256
    """One integer inside contract code; stored integers have 64 bits signed."""
    fuel_steps_max: int = 2_000_000
    """Metered steps of one interpretation."""
    window_ms_max: int = 30 * 24 * 3600 * 1000
    """How far a transaction's upper bound may lie ahead of the notary's time."""
    registry_age_ms_max: int = 24 * 3600 * 1000
    """How old a registry proof may be that a solo or channel notary relies on."""
    sealed_bytes_max: int = 512 * 1024
    """Sealed views kept beside one transaction."""
    sealed_keep_ms: int = 90 * 24 * 3600 * 1000
    """How long sealed views are kept."""
    subscriptions_count_max: int = 10_000
    """Open subscriptions of one identity."""
    requests_per_minute_max: int = 60_000
    """Requests a notary takes from one identity in a minute."""
    history_count_max: int = 10_000
    """Transactions in one history bundle."""
    attachment_bytes_max: int = 64 * 1024 * 1024
    """One attached file."""


LIMITS = Limits()
