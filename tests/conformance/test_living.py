"""What was in use at one time, found by the beginnings of ids: on every database, and without reading anything else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.test_vault import BACK_ENDS, add_all
from tests.unit.node.vault.samples import SampleEngine, contract, invoice

from interfirm.contracts.types import ContractRef
from interfirm.node.vault import contracts
from interfirm.node.vault.vault import Vault

BYTES = (0, 7, 255)
EACH = 5


def by(byte: int, number: int = 1) -> bytes:
    return bytes([byte, number]) + bytes(30)


@pytest.fixture(params=sorted(BACK_ENDS))
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """Five contracts for each of three first bytes, of two transactions each, all accepted at 100."""
    engine = SampleEngine()
    with (
        BACK_ENDS[request.param](tmp_path) as place,
        contextlib.closing(Vault.open(place, contracts_engine=engine)) as made,
    ):
        kind = engine.id_of(type(invoice(1)))
        add_all(made, [contract(kind, invoice(n), by=by(byte, 1 + n // 3), index=n, time_ms=100)
                       for byte in BYTES for n in range(EACH)])  # fmt: skip
        yield made


def found(vault: Vault, byte: int, until_ms: int = 100) -> list[ContractRef]:
    with vault.read() as turn:
        return [ref for ref, _ in turn.contracts_beginning(byte, until_ms=until_ms)]


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_those_of_one_beginning_are_listed_in_pages_of_any_size(
    vault: Vault, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "PAGE_ROWS", rows)
    for byte in BYTES:
        assert found(vault, byte) == [ContractRef(by(byte, 1 + n // 3), n) for n in range(EACH)]
    assert found(vault, 8) == []


def test_what_ended_and_what_came_later_was_not_in_use(vault: Vault) -> None:
    ended = ContractRef(by(7), 0)
    with vault.turn() as turn:
        turn.consume(ended, bytes(32))
    assert len(found(vault, 7)) == EACH - 1
    assert ended not in found(vault, 7)
    assert found(vault, 7, until_ms=99) == []
