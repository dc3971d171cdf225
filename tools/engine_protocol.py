"""Writes the engine's messages, as descriptors, from the .proto files in its own source (Go and grpcio-tools needed).

Only what the application and its clients speak; the options of the engine's own generator are left out, because they
say how its Go code looks and nothing about bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

from interfirm.runtime import engine

TARGET = Path(__file__).resolve().parents[1] / "src" / "interfirm" / "notary" / "cometbft" / "proto" / "engine.binpb"
WANTED = ("tendermint/abci/types.proto", "tendermint/types/types.proto", "tendermint/types/canonical.proto")
GENERATOR = "gogoproto/gogo.proto"


def descriptors(version: str = engine.PINNED) -> bytes:
    """The descriptor set of the wanted files and of all they import."""
    gogo = engine.required("github.com/cosmos/gogoproto", version)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "all"
        subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{engine.source(version) / 'proto'}", f"-I{gogo}",
             "--include_imports", f"--descriptor_set_out={made}", *WANTED], check=True,
        )  # fmt: skip
        found = FileDescriptorSet.FromString(made.read_bytes())
    kept = FileDescriptorSet(file=[_bare(file) for file in found.file if _is_kept(file)])
    return kept.SerializeToString(deterministic=True)


def _is_kept(file: FileDescriptorProto) -> bool:
    return file.name not in (GENERATOR, "google/protobuf/descriptor.proto")


def _bare(file: FileDescriptorProto) -> FileDescriptorProto:
    kept = [name for name in file.dependency if name != GENERATOR]
    del file.dependency[:]
    file.dependency.extend(kept)
    file.ClearField("options")
    file.ClearField("service")
    for message in file.message_type:
        _strip(message)
    for enum in file.enum_type:
        _strip_enum(enum)
    return file


def _strip(message: DescriptorProto) -> None:
    message.ClearField("options")
    for field in message.field:
        field.ClearField("options")
    for oneof in message.oneof_decl:
        oneof.ClearField("options")
    for nested in message.nested_type:
        _strip(nested)
    for enum in message.enum_type:
        _strip_enum(enum)


def _strip_enum(enum: EnumDescriptorProto) -> None:
    enum.ClearField("options")
    for value in enum.value:
        value.ClearField("options")


def main() -> int:
    """Write the file."""
    TARGET.write_bytes(descriptors())
    print(f"{TARGET.stat().st_size} bytes of descriptors in {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
