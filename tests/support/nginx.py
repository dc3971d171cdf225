"""nginx as an operator runs it before a node: with the configuration of docs/operator.md, on free ports."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operator.md"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
access_log off;
{temporary}
{shown}
}}
"""
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def program() -> str:
    """Where nginx is; Debian keeps it where only root's paths lead."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("there is no nginx to put before a node (Debian: apt-get install nginx-light)")
    return found


def shown_block() -> str:
    """What the operator's page says to copy."""
    found = re.search(r"^```nginx\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert found, "the page shows a configuration for nginx"
    return found[1]


@contextmanager
def nginx(folder: Path, *, port: int, to_port: int) -> Iterator[None]:
    """The proxy of the page, listening here with a certificate of its own making."""
    _certificate(folder)
    replaced = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "/etc/nginx/": f"{folder}/", ":8431/": f":{to_port}/",
    }  # fmt: skip
    block = shown_block()
    for shown, here in replaced.items():
        assert shown in block, shown
        block = block.replace(shown, here)
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    file = folder / "nginx.conf"
    file.write_text(MAIN.format(folder=folder, temporary=temporary, shown=block))
    process = subprocess.Popen([program(), "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")])
    try:
        _answers(process, port, folder)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, (folder / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not listen")


def _certificate(folder: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "node.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "node.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))  # fmt: skip
