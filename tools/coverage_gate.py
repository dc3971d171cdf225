"""Fail when a pure package has fewer covered branches than it promises (percent, line and branch together)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_CLUSTER = "src/interfirm/notary/cometbft/"
SHELLS = (
    "src/interfirm/notary/solo/",
    *(_CLUSTER + name for name in ("abci.py", "client.py", "receipts.py", "rpc.py", "sqlite.py", "store/sqlite.py")),
)
"""Hosts on real disks and processes: the functional tests run them, in processes that this report does not see."""
PROMISED = {
    "src/interfirm/base": 94,
    "src/interfirm/contracts": 96,
    "src/interfirm/ledger": 97,
    "src/interfirm/notary": 96,
}


def main(report: str) -> int:
    """Compare the coverage of each promised folder with its promise; 1 where one is broken."""
    files = json.loads(Path(report).read_text())["files"]
    broken = 0
    for folder, promised in PROMISED.items():
        covered = total = 0
        for name, data in files.items():
            if name.startswith(folder + "/") and not name.startswith(SHELLS):
                summary = data["summary"]
                covered += summary["covered_lines"] + summary["covered_branches"]
                total += summary["num_statements"] + summary["num_branches"]
        percent = 100 * covered / total if total else 0.0
        word = "ok" if percent >= promised else "TOO LOW"
        broken += percent < promised
        print(f"{folder:28} {percent:5.1f} % of lines and branches (promised {promised} %) {word}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
