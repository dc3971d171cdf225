"""OpenSSL's own client as the judge of what a node's socket speaks."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from interfirm.node.identity.authority import Authority
from interfirm.node.identity.checks import certified
from interfirm.node.identity.keystore import KeyStore, Secrets
from interfirm.node.identity.types import Subject
from interfirm.node.network.contexts import PROTOCOL, TlsIdentity
from interfirm.node.network.frames import LENGTHS, VERSION, Greeting, SessionFrame, pack
from interfirm.node.network.port import Trouble
from interfirm.node.network.tls import Surroundings, TlsNetwork

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="needs the openssl command")
NOW_MS = int(time.time() * 1000)
AUTHORITY = Authority.generate("demo", at_ms=NOW_MS)


class Quiet:
    def __init__(self) -> None:
        self.connected: list[bytes] = []
        self.troubles: list[str] = []

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        raise AssertionError("the judge says nothing but a greeting")

    def on_connected(self, peer: bytes) -> None:
        self.connected.append(peer)

    def on_disconnected(self, peer: bytes) -> None:
        pass

    def on_trouble(self, trouble: Trouble) -> None:
        self.troubles.append(trouble.reason)


def identity(folder: Path, name: str) -> TlsIdentity:
    """A node's identity, and its files as openssl wants them."""
    store = KeyStore(Secrets.generate())
    request = store.request("demo", Subject(legal_name=name, registration_id="VATBE-0987654394"))
    chain = AUTHORITY.issue(request, at_ms=NOW_MS)
    pem = [x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM) for data in chain]
    (folder / f"{name}.pem").write_bytes(pem[0])
    (folder / f"{name}.chain.pem").write_bytes(b"".join(pem[1:]))
    (folder / f"{name}.key").write_bytes(store.tls_private_key_pem())
    return TlsIdentity(trust=AUTHORITY.trust, chain=chain, private_key_pem=store.tls_private_key_pem())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = x509.load_der_x509_certificate(AUTHORITY.trust.root)
    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    return tmp_path


async def s_client(folder: Path, port: int, *arguments: str, says: bytes = b"") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        OPENSSL, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", "root.pem", "-verify_return_error",
        "-x509_strict", *arguments,
        cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(says)
    shown = b""
    async with asyncio.timeout(20):
        while said := await process.stdout.read(4096):
            shown += said
            if b"greeting" in shown:  # the node's, so it has verified us
                process.stdin.close()
        code = await process.wait()
    return code, shown.decode("utf-8", "replace")


HEAD = pack(Greeting(version=VERSION, network="demo"))[0]
GREETING = LENGTHS.pack(len(HEAD), 0) + HEAD
CLIENT = ("-alpn", PROTOCOL, "-cert", "bert.pem", "-cert_chain", "bert.chain.pem", "-key", "bert.key")
Talk = Callable[[int, Quiet], Awaitable[None]]


def play(folder: Path, talk: Talk) -> None:
    async def main() -> None:
        ear = Quiet()
        around = Surroundings(endpoints=lambda _: [], now_ms=lambda: NOW_MS, revoked=frozenset)
        node = TlsNetwork(identity(folder, "anna"), ear, around)
        _, port = await node.start("127.0.0.1", 0)
        try:
            await talk(port, ear)
        finally:
            await node.stop()

    asyncio.run(main())


def test_openssl_speaks_tls_1_3_with_a_node_and_believes_its_chain(folder: Path) -> None:
    bert = identity(folder, "bert")

    async def talk(port: int, ear: Quiet) -> None:
        _, shown = await s_client(folder, port, *CLIENT, says=GREETING)
        assert "TLSv1.3" in shown
        assert "Verify return code: 0 (ok)" in shown
        assert "ALPN protocol: interfirm/1" in shown
        assert "depth=2" in shown
        assert "O = anna" in shown
        assert ear.connected == [certified(bert.chain[0]).identity]

    play(folder, talk)


def test_openssl_is_refused_tls_1_2(folder: Path) -> None:
    identity(folder, "bert")

    async def talk(port: int, ear: Quiet) -> None:
        code, shown = await s_client(folder, port, "-tls1_2", *CLIENT)
        assert code != 0
        assert "Cipher is (NONE)" in shown
        assert ear.troubles == ["UNSUPPORTED_PROTOCOL"]

    play(folder, talk)


def test_openssl_is_refused_without_a_certificate(folder: Path) -> None:
    async def talk(port: int, ear: Quiet) -> None:
        await s_client(folder, port, "-alpn", PROTOCOL)
        assert ear.troubles == ["PEER_DID_NOT_RETURN_A_CERTIFICATE"]
        assert not ear.connected

    play(folder, talk)


def test_openssl_does_not_believe_a_node_under_another_root(folder: Path) -> None:
    identity(folder, "bert")
    other = x509.load_der_x509_certificate(Authority.generate("demo", at_ms=NOW_MS).trust.root)
    (folder / "root.pem").write_bytes(other.public_bytes(Encoding.PEM))

    async def talk(port: int, ear: Quiet) -> None:
        code, shown = await s_client(folder, port, *CLIENT)
        assert code != 0
        assert "certificate verify failed" in shown
        assert not ear.connected

    play(folder, talk)


def test_no_session_is_resumed(folder: Path) -> None:
    """A resumed session would skip the certificate."""
    identity(folder, "bert")

    async def talk(port: int, ear: Quiet) -> None:
        _, shown = await s_client(folder, port, *CLIENT, "-sess_out", "session.pem", says=GREETING)
        assert "New Session Ticket arrived" not in shown
        assert not (folder / "session.pem").exists()

    play(folder, talk)
