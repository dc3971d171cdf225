"""What a cluster's store costs: a change of the state, by the number of keys; memory; the rows behind it; proofs.

The limit is the hashing alone: as many SHA-256 of an inner node's bytes as the trie writes hashes, in the same run. The
growth that matters to a block is that of a whole notarisation, of which the store is one part beside two signatures at
least: six changes (two refs consumed, two made, a claim, an acceptance).
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.common import microseconds, result, two_signatures_microseconds
from interfirm.ledger.receipts.ics23 import verify_stored
from interfirm.notary.cometbft.store.layout import NOTARY
from interfirm.notary.cometbft.store.multistore import MultiStore
from interfirm.notary.cometbft.store.sqlite import StateStore
from interfirm.notary.state import ACCEPTED, CLAIMS, REFS

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (500, 5_000)
CHANGES = 6
"""Of one notarisation."""
NOTARISATIONS = 170
"""In one block, which makes some thousand changes."""
BLOCKS = 8
BYTES_A_KEY_MAX = 360
GROWTH_MAX = 1.3
PROOFS = 50
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8192", "cache_size = -65536")
"""As the notary's hosts open their files: many changes of one page are written back once."""
VALUE = b"\x01" + bytes(range(32))
NODE = bytes(range(70))
Changes = dict[tuple[str, bytes], bytes | None]


def name(n: int) -> bytes:
    """32 bytes that look random and are the same in every run."""
    return sha256(b"%d" % n).digest()


def leaves(count: int) -> Iterator[tuple[str, bytes, bytes]]:
    """As many refs, in order."""
    for transaction in sorted(name(n) for n in range((count + 1) // 2)):
        for index in range(2):
            yield REFS, transaction + index.to_bytes(4, "big"), VALUE


def block(number: int, count: int) -> Changes:
    """A block of notarisations on a store of as many refs: each consumes two refs and makes two."""
    changes: Changes = {}
    for n in range(number * NOTARISATIONS, (number + 1) * NOTARISATIONS):
        transaction = name(-1 - n)
        for index in range(2):
            consumed = name((2 * n + index) * 7919 % ((count + 1) // 2)) + index.to_bytes(4, "big")
            changes[REFS, consumed] = b"\x02" + transaction
            changes[REFS, transaction + index.to_bytes(4, "big")] = VALUE
        changes[CLAIMS, sha256(transaction).digest()] = VALUE
        changes[ACCEPTED, transaction] = VALUE
    return changes


def cost(make: Callable[[int, Changes], Any], count: int) -> float:
    """The best block's microseconds for one change."""
    best = float("inf")
    for number in range(BLOCKS):
        changes = block(number, count)
        started = time.perf_counter_ns()
        make(number + 1, changes)
        best = min(best, (time.perf_counter_ns() - started) / len(changes) / 1000)
    return best


def in_memory(count: int) -> dict[str, float]:
    """Tries alone: building, changing, hashing alone, memory."""
    started = time.perf_counter_ns()
    store = MultiStore(NOTARY, leaves=leaves(count))
    build = (time.perf_counter_ns() - started) / count / 1000
    memory = store.bytes_held / count

    def make(height: int, changes: Changes) -> None:
        store.apply(height, changes)
        store.prune(height - 1)

    change = cost(make, count)
    hashes = store.hashes_written / len(block(0, count)) + 1  # a leaf takes two: its value's, its own
    alone = hashes * microseconds(lambda: sha256(NODE).digest(), count=20_000)
    return {"build": build, "memory": memory, "change": change, "hashes": hashes, "hashing": alone}


def on_disk(count: int, folder: Path) -> dict[str, float]:
    """The tables with the tries above: a height in one commit; proofs, made and verified."""
    connection = sqlite3.connect(folder / f"{count}.sqlite", isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    StateStore(connection)
    connection.executemany("INSERT INTO store_leaves VALUES (?, ?, ?)", leaves(count))
    root = MultiStore(NOTARY, leaves=leaves(count)).root
    connection.execute("UPDATE store_heights SET root = ?", (root,))
    connection.execute("COMMIT")
    started = time.perf_counter()
    store = StateStore(connection)
    found = {"load_s": time.perf_counter() - started}

    def make(height: int, changes: Changes) -> None:
        connection.execute("BEGIN")
        store.apply(height, changes)
        connection.execute("COMMIT")

    found["change"] = cost(make, count)
    found |= proofs(store)
    connection.close()
    return found


def proofs(store: StateStore) -> dict[str, float]:
    """Bytes and microseconds of proofs of what is there and of what is not."""
    found: dict[str, float] = {}
    for kind, first in (("existence", 0), ("absence", 10**9)):
        keys = [name(first + n) + bytes(4) for n in range(PROOFS)]
        proven = [store.prove(REFS, key) for key in keys]
        found[f"{kind}_bytes"] = sum(len(part) for each in proven for part in each.proofs) / PROOFS
        found[f"{kind}_prove"] = microseconds(lambda: [store.prove(REFS, key) for key in keys], count=1) / PROOFS  # noqa: B023 - called at once
        found[f"{kind}_verify"] = (
            microseconds(
                lambda: [  # called at once
                    verify_stored(each.proofs, root=store.root, space=REFS, key=each.key, value=each.value)
                    for each in proven  # noqa: B023
                ],
                count=1,
            )
            / PROOFS
        )
    return found


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    sizes = QUICK_SIZES if quick else SIZES
    small, large = sizes[0], sizes[-1]
    memory = {count: in_memory(count) for count in sizes}
    with tempfile.TemporaryDirectory(prefix="interfirm-bench-") as folder:
        disk = {count: on_disk(count, Path(folder)) for count in (small, large)}
    signatures = two_signatures_microseconds(count=50 if quick else 500)
    whole = {count: signatures + CHANGES * disk[count]["change"] for count in (small, large)}
    figures = {f"change_us_{count}": memory[count]["change"] for count in sizes}
    figures |= {f"change_with_rows_us_{count}": disk[count]["change"] for count in (small, large)}
    figures |= {f"hashes_a_change_{count}": memory[count]["hashes"] for count in sizes}
    figures |= {"bytes_a_key": memory[large]["memory"], "build_us_a_key": memory[large]["build"]}
    figures |= disk[large]
    ratios = {
        "hashing_alone_to_change": memory[large]["hashing"] / memory[large]["change"],
        "growth_of_a_change": memory[large]["change"] / memory[small]["change"],
        "growth_of_a_change_with_rows": disk[large]["change"] / disk[small]["change"],
        "growth_of_a_notarisation": whole[large] / whole[small],
        "bytes_a_key_to_limit": memory[large]["memory"] / BYTES_A_KEY_MAX,
    }
    return result(
        "store",
        figures=figures,
        peers={"hashing_alone_us": memory[large]["hashing"], "two_signatures_us": signatures},
        ratios=ratios,
        met=ratios["growth_of_a_notarisation"] < GROWTH_MAX and memory[large]["memory"] < BYTES_A_KEY_MAX,
        limited_by="a change hashes its path below what the block's others share, so it grows with the logarithm of "
        "the keys over the block's changes; Python around each hash costs about twice the hash",
    )
