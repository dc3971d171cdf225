"""The engine's messages: classes made from descriptors that `tools/engine_protocol.py` takes from its own source.

They live in a pool of their own, so that another package's copies of the same names do no harm.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_pool = DescriptorPool()
for _file in FileDescriptorSet.FromString(files(__package__).joinpath("engine.binpb").read_bytes()).file:
    _pool.AddSerializedFile(_file.SerializeToString())


def message(name: str) -> Any:
    """The class of a message by its full name, such as `tendermint.abci.Request`."""
    return GetMessageClass(_pool.FindMessageTypeByName(name))
