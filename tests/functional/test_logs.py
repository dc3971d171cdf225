"""What processes write to their logs: whose line it is and about which flow and peer, and never a secret."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.networks import FIRMS, asker, command, eventually, network
from tests.e2e.test_privacy import NOTES, SUBJECT, VALUE

from interfirm.base.errors import Refusal
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import logs, supervise
from interfirm.runtime.configuration import read_configuration
from interfirm.runtime.layout import Home, NetworkLayout

PASSWORD = "correct horse battery staple 77"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkLayout]:
    folder = tmp_path / "modules" / "notes"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Notes."""\n')
    (folder / "contract.py").write_text(NOTES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("INTERFIRM_LOG_LEVEL", "debug")
    with network(tmp_path / "network", FIRMS[:2], modules=("notes",)) as made:
        yield made


def lines(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.log_path.read_text().splitlines() if line.startswith("{")]


def keys_of(home: Home) -> list[bytes]:
    store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
    return [store.vrf_seed, store.tls_private_key_pem()]


def secrets_of(home: Home) -> list[str]:
    pem = keys_of(home)[1].decode().splitlines()
    return [home.passphrase_path.read_text(), keys_of(home)[0].hex(), *(line for line in pem if len(line) > 40)]


def note(author: Home, reader: Home, text: Any, **more: Any) -> dict[str, Any]:
    fields = {"author": author.member.name, "reader": reader.member.name, "text": text, **more}
    flow: dict[str, Any] = asker(author).call("create", {"template": "notes.Note", "fields": fields})["flow"]
    return flow


def refusal_of(home: Home, operation: str, **arguments: Any) -> str:
    with pytest.raises(Refusal) as caught:
        asker(home).call(operation, arguments)
    return json.dumps(caught.value.as_plain())


def garbage(home: Home) -> None:
    """Somebody who speaks no TLS, and sends what looks like a secret."""
    with socket.create_connection((home.member.host, home.member.port)) as knocking:
        knocking.sendall(b"Authorization: Bearer " + PASSWORD.encode() + b"\r\n\r\n")
        knocking.settimeout(60)
        with contextlib.suppress(ConnectionResetError):  # how the node ends it
            knocking.recv(1)


def test_no_secret_is_in_a_log_or_an_error(layout: NetworkLayout) -> None:
    author, reader = layout.firm(FIRMS[0][0]), layout.firm(FIRMS[1][0])
    api = read_configuration(author.configuration_path).api
    url = f"http://{api.host}:{api.port}"
    asker(author).call("access.person-put", {"name": "someone", "roles": ["clerk"]})
    token: str = asker(author).call("access.token-new", {"person": "someone"})["token"]
    told: list[str] = []

    for shown in (token, token[:-1] + ("0" if token[-1] != "0" else "1"), "ift_" + "0" * 16 + "_" + "f" * 64):
        told.append(httpx.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {shown}"}).text)
    bad = {"fields": {"text": {"value": VALUE, "subject": SUBJECT}, "author": token}}
    head = {"Authorization": f"Bearer {token}"}
    told.append(httpx.post(f"{url}/v1/contracts/notes.Note", headers=head, json=bad).text)
    told.append(httpx.post(f"{url}/v1/contracts/notes.Note", headers=head, content=b'{"' + VALUE.encode()).text)

    flow = note(author, reader, {"value": VALUE, "subject": SUBJECT})
    assert flow["state"] in ("waiting", "done")
    for item in eventually(lambda: asker(reader).call("inbox.list")["inbox"] or None, "the question"):
        asker(reader).call("inbox.decide", {"id": item["id"], "approve": False, "reason": "no"})
    told.append(refusal_of(author, "create", template="notes.Note", fields={"text": {"value": VALUE, "subject": ""}}))
    told.append(refusal_of(author, "access.token-revoke", id=token))
    told.append(refusal_of(author, "flows.show", id=VALUE))
    with suppress(OSError):  # however the node ends the connection
        garbage(author)

    wrong = _started_with(author, passphrase=PASSWORD)
    assert wrong.returncode == 3
    told += [wrong.stdout, wrong.stderr]
    unknown = command("--network", str(layout.folder), "--as", author.member.slug, "ask", "nothing", token)
    told += [unknown.stdout.replace(token, ""), unknown.stderr.replace(token, "")]
    assert unknown.returncode != 0

    written = "\n".join(home.log_path.read_text() for home in layout.homes()) + "\n".join(told)
    assert '"flow.ended"' in written, "the run left a log to look at"
    for home in (author, reader, layout.notary):
        for secret in secrets_of(home):
            assert secret not in written
    assert token not in written
    assert token.rpartition("_")[2] not in written
    assert PASSWORD not in written
    # a person's data is shown to who gave it, and kept from the log
    log = "\n".join(home.log_path.read_text() for home in layout.homes())
    assert "Verlinden" not in log


def _started_with(home: Home, *, passphrase: str) -> subprocess.CompletedProcess[str]:
    """The node, started on a copy of its home with another passphrase."""
    network_folder = home.folder.parents[1]
    copy = network_folder.with_name("copy")
    shutil.copytree(network_folder, copy, ignore=shutil.ignore_patterns("*.sock", "*.db*", "pid"))
    (copy / "firms" / home.folder.name / "passphrase").write_text(passphrase)
    program = [sys.executable, "-m", "interfirm.runtime.main", str(copy), home.member.slug]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def test_every_line_says_whose_it_is_and_about_what(layout: NetworkLayout) -> None:
    author, reader = layout.firm(FIRMS[0][0]), layout.firm(FIRMS[1][0])
    fields = {"issuer": author.member.name, "owner": reader.member.name, "amount": "7.00 EUR"}
    flow = asker(author).call("create", {"template": "cash.Cash", "fields": fields})["flow"]
    for home in layout.homes():
        assert {line["firm"] for line in lines(home)} == {home.member.slug}
        assert all({"event", "level", "timestamp"} <= line.keys() for line in lines(home))
    (ended,) = [line for line in lines(author) if line["event"] == "flow.ended" and line["kind"] == "exercise"]
    assert (ended["flow"], ended["state"], ended["level"]) == (flow["id"], "done", "debug")


def test_a_log_may_be_cut_while_it_is_written(layout: NetworkLayout) -> None:
    """What `logrotate` does with copytruncate: the file begins anew, without a hole."""
    home = layout.firm(FIRMS[0][0])
    asker(home).call("access.person-put", {"name": "someone", "roles": []})
    os.truncate(home.log_path, 0)
    supervise.stop([home])
    assert home.log_path.read_bytes().startswith(b"{")
    assert [line["event"] for line in lines(home)][-1] == "node.stopped"


@pytest.mark.parametrize(
    "given",
    [
        {"token": "x"},
        {"reason": f"ift_{'0' * 16}_{'f' * 64} is not known"},
        {"url": "postgresql://user:swordfish@db/x"},
        {"values": {"passphrase": "swordfish", "list": ["Bearer abcdefgh12345678"]}},
        {"exception": "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----"},
    ],
)
def test_what_looks_like_a_secret_is_hidden_whoever_logs_it(given: dict[str, Any]) -> None:
    written = json.dumps(logs.without_secrets(None, "info", dict(given)))
    assert logs.HIDDEN in written
    for secret in ("f" * 64, "swordfish", "abcdefgh12345678", "MC4CAQAw", '"x"'):
        assert secret not in written


def test_what_is_no_secret_stays() -> None:
    plain = {"event": "node.refused", "count": 3, "values": {"flow": "f" * 64, "parts": [1, None]}}
    assert logs.without_secrets(None, "info", dict(plain)) == plain
