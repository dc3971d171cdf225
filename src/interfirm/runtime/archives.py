"""Archives of a node on this machine: where they lie, the key that opens them, what checks them, and the daily run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interfirm.base.errors import Refusal
from interfirm.node.desk import Desk
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.node.retention import store
from interfirm.node.retention.checking import Reader
from interfirm.node.retention.sealed_file import sealing_key
from interfirm.runtime.bootstrap import load_engine
from interfirm.runtime.configuration import read_configuration
from interfirm.runtime.daily import EachDay
from interfirm.runtime.layout import Home, NetworkLayout
from interfirm.runtime.logs import log
from interfirm.runtime.modules import find_modules
from interfirm.runtime.parties import Parties


def archives_folder(home: Home) -> Path:
    """Where a firm's archives are put: what `[retention] archive_to` says, or `archives` in the node's folder."""
    named = read_configuration(home.configuration_path).retention.archive_to
    return Path(named) if named else home.folder / "archives"


def archive_key(home: Home) -> bytes:
    """The key that opens a firm's archives; Refusal `keystore.*`."""
    return sealing_key(KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path)).document_key)


def archive_reader(layout: NetworkLayout) -> Reader:
    """What checks archived transactions, by what the network's folder says of notaries and members."""
    engine = load_engine(find_modules(layout.file.modules))
    return Reader(engine, Parties(layout), layout.network_id)


class DailyArchive(EachDay):
    """Asks for a run of archiving when a day has begun."""

    def __init__(self, desk: Desk, folder: str, *, begun: Callable[[], None]) -> None:
        """`begun` is called when a run was asked for."""
        super().__init__()
        self._desk, self._folder, self._begun = desk, folder, begun

    def begin(self, day: int) -> None:
        """See EachDay; what is refused is told in the log, and tried again the next day."""
        if not self._has_rules():
            return
        try:
            self._desk.handle("archive.create", {"folder": self._folder, "request": f"archive-{day}"})
        except Refusal as refusal:
            log.warning("archive.refused", **refusal.as_plain())
            return
        self._begun()

    def _has_rules(self) -> bool:
        with self._desk.vault.read() as turn:
            return bool(store.rules(turn))
