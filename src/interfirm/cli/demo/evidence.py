"""Receipts of the whole scenario, checked by a process that has nothing but the trust anchor and the files."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from interfirm.base.errors import Refusal
from interfirm.runtime.proofs import write_anchor

if TYPE_CHECKING:
    from interfirm.cli.demo.play import Play


def verify_offline(play: Play) -> set[str]:
    """The transactions whose receipts a fresh process in an empty folder verified."""
    with tempfile.TemporaryDirectory(prefix="interfirm-proofs-") as name:
        folder = Path(name)
        write_anchor(folder / "anchor.json", play.layout)
        for transaction, role in play.made_by.items():
            bundle = play.ask(role, "proof.receipt", transaction=transaction)["bundle"]
            (folder / f"{transaction}.proof").write_bytes(bytes.fromhex(bundle))
        command = [sys.executable, "-m", "interfirm.runtime.proofs", str(folder)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode != 0:
        raise Refusal("demo.proof", "a receipt does not verify", reason=done.stdout[-500:] + done.stderr[-500:])
    return set(json.loads(done.stdout)["verified"])
