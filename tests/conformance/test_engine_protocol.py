"""The engine's messages are those of its own source, and both versions that we run on read them alike."""

from __future__ import annotations

import shutil

import pytest
from tools import engine_protocol

from interfirm.notary.cometbft.proto import message
from interfirm.runtime import engine

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="needs Go, to fetch the engine's source")


@needs_go
def test_what_is_kept_is_what_the_pinned_engines_source_says() -> None:
    assert engine_protocol.TARGET.read_bytes() == engine_protocol.descriptors()


@needs_go
def test_no_field_that_both_engines_know_has_another_place_or_type() -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    def fields(data: bytes) -> dict[tuple[str, str, str], tuple[int, int, str]]:
        return {
            (file.package, kind.name, field.name): (field.number, field.type, field.type_name)
            for file in FileDescriptorSet.FromString(data).file
            for kind in file.message_type
            for field in kind.field
        }

    known, later = fields(engine_protocol.descriptors()), fields(engine_protocol.descriptors(engine.ALSO_TESTED))
    shared = known.keys() & later.keys()
    assert len(shared) > 300
    assert {name: later[name] for name in shared} == {name: known[name] for name in shared}


def test_a_message_is_made_by_its_full_name() -> None:
    request = message("tendermint.abci.Request")
    made = request()
    made.check_tx.tx = b"1"
    assert request.FromString(made.SerializeToString()).WhichOneof("value") == "check_tx"
