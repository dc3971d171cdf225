"""Old history leaves a node by command, is checked and proved from without it, and comes back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.networks import FIRMS, answer, command, done, network

from interfirm.base.time import DAY_MS, Instant
from interfirm.runtime import notaries


def test_old_history_is_archived_checked_proved_and_put_back(tmp_path: Path) -> None:
    began_ms = time.time_ns() // 1_000_000
    with network(tmp_path / "network", FIRMS[:2], scenario_ms=began_ms) as layout:
        one, other = (layout.firm(name) for name, _ in FIRMS[:2])

        def at(*words: str) -> Any:
            return command("--network", str(layout.folder), "--as", one.member.slug, "--json", *words)

        today = str(Instant(began_ms).day())
        fields = {"giver": one.member.name, "others": [other.member.name], "agreement": "A-1", "given": today}
        made = done(one, "create", template="agreements.Notice", fields=fields)
        ref = f"{made['transaction']}:0"
        done(one, "exercise", ref=ref, choice="take_back", arguments={"on": today})
        done(one, "create", template="agreements.Notice", fields=fields)
        notaries.set_clock(layout, began_ms + 60 * DAY_MS)

        assert answer(at("archive", "create"))["archives"] == []
        assert answer(at("retention", "set", "*", "--days", "30", "--ground", "the law"))["days"] == 30
        assert answer(at("hold", "place", "case-7", "--reason", "a claim", "--template", "agreements.Notice"))[
            "in_force"
        ]
        assert answer(at("archive", "create", "--dry-run"))["stays"]["hold"] >= 1
        answer(at("hold", "release", "case-7"))
        assert [each["name"] for each in answer(at("hold", "list"))["holds"]] == ["case-7"]
        moved = answer(at("archive", "create"))
        assert moved["archives"] == [1]
        (shown,) = answer(at("archive", "list"))["archives"]
        file = one.folder / "archives" / shown["file"]
        refused = at("contracts", "show", ref)
        assert refused.returncode == 3
        assert json.loads(refused.stdout)["refused"]["code"] == "vault.archived"
        assert answer(at("archive", "show", made["transaction"]))["archive"] == 1

        assert answer(at("archive", "restore", str(file)))["archive"] == 1
        assert answer(at("contracts", "show", ref))["status"] == "consumed"

        notaries.stop_all(layout)
        checked = answer(at("archive", "verify", str(file)))
        assert checked["transactions"] == moved["transactions"]
        proof, anchor = tmp_path / "old.proof", tmp_path / "anchor.json"
        answer(at("archive", "proof", str(file), made["transaction"], "--to", str(proof), "--anchor", str(anchor)))
        proved = answer(at("proof", "verify", str(proof), "--anchor", str(anchor)))
        assert (proved["transaction"], proved["complete"]) == (made["transaction"], True)
        damaged = bytearray(file.read_bytes())
        damaged[-1] ^= 1
        file.with_suffix(".bad").write_bytes(damaged)
        assert at("archive", "verify", str(file.with_suffix(".bad"))).returncode == 3
