"""Notices by mail and webhook: to a real SMTP server in a process of its own, and a real HTTP receiver."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Engine
from interfirm.node.vault.types import FlowRecord, InboxItem
from interfirm.node.vault.vault import Vault
from interfirm.runtime.notify import Notice, Notifier, of_flow, of_item
from interfirm.runtime.notify_smtp import MailWay, message_of
from interfirm.runtime.notify_ways import ways_of
from interfirm.runtime.notify_webhook import WebhookWay
from interfirm.runtime.watching import NotifySettings

SECRET, PASSWORD = "a secret of sixteen bytes and more", "swordfish"
ITEM = InboxItem(
    id="flow-1-3", flow="flow-1", kind="sign", summary={"note": "Anna"}, created_ms=1_767_600_000_000, state="open",
    reason="",
)  # fmt: skip
FAILED = FlowRecord(
    id="order 4711", kind="exercise", arguments=b"", state="failed", progress=b"", result=b"\xa1x",
    started_ms=1_767_600_000_000, changed_ms=1_767_600_000_500, parent="",
)  # fmt: skip
SERVER = """
import asyncio, sys
from aiosmtpd.smtp import SMTP, AuthResult

class Keep:
    async def handle_DATA(self, server, session, envelope):
        if b"not today" in envelope.content:
            return "451 try again later"
        print(envelope.mail_from, *envelope.rcpt_tos, len(envelope.content), flush=True)
        sys.stdout.buffer.write(envelope.content)
        sys.stdout.flush()
        return "250 kept"

def knows(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"nordmark", sys.argv[1].encode()))

async def main():
    made = lambda: SMTP(Keep(), authenticator=knows, auth_require_tls=False)
    listening = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()

asyncio.run(main())
"""


class Mailbox:
    """What the SMTP server took."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._out = process.stdout
        assert self._out is not None
        self.port = int(self._out.readline())

    def next(self) -> tuple[list[str], EmailMessage]:
        assert self._out is not None
        *people, size = self._out.readline().decode().split()
        message = message_from_bytes(self._out.read(int(size)), policy=policy.default)
        assert isinstance(message, EmailMessage)
        return people, message


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    program = [sys.executable, "-c", SERVER, PASSWORD]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield Mailbox(process)
        finally:
            process.terminate()


class Receiver(HTTPServer):
    """Takes webhooks, and answers with the statuses given, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.statuses = list(statuses)
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?firm=nordmark"


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    made = Receiver(*getattr(request, "param", (204,)))
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault.open(tmp_path / "vault.db", contracts_engine=Engine(), durable=False)
    yield made
    made.close()


def by_mail(mailbox: Mailbox, folder: Path, **more: Any) -> NotifySettings:
    (folder / "password").write_text(PASSWORD + "\n")
    return NotifySettings(
        mail_to=("desk@nordmark.example", "night@nordmark.example"), mail_from="node@nordmark.example",
        smtp_host="127.0.0.1", smtp_port=mailbox.port, smtp_security="none", smtp_user="nordmark",
        smtp_password_file=str(folder / "password"),
    ).replace(**more).checked()  # fmt: skip


def by_webhook(receiver: Receiver, folder: Path, **more: Any) -> NotifySettings:
    (folder / "secret").write_text(SECRET)
    made = NotifySettings(webhook_url=receiver.url, webhook_secret_file=str(folder / "secret"))
    return made.replace(**more).checked()


def play(vault: Vault, settings: NotifySettings, told: Callable[[Notifier], None], *, failures: int = 0) -> list[float]:
    """Run a notifier until it has told everything, or a way has failed so often; how long it paused between."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if failures and len(pauses) == failures:
            await asyncio.Event().wait()

    async def main() -> None:
        ways = ways_of(settings, now_ms=lambda: 1_767_600_001_000)
        notifier = Notifier(vault, ways, firm="nordmark", events=settings.events, now_ms=lambda: 0, sleep=pause)
        notifier.start()
        told(notifier)
        while notifier._under_way and len(pauses) < (failures or 100):
            await asyncio.sleep(0.005)
        await notifier.stop()

    asyncio.run(main())
    return pauses


def test_an_item_of_the_inbox_is_told_by_mail(mailbox: Mailbox, vault: Vault, tmp_path: Path) -> None:
    play(vault, by_mail(mailbox, tmp_path), lambda notifier: notifier.item(ITEM))
    people, message = mailbox.next()
    assert people == ["node@nordmark.example", "desk@nordmark.example", "night@nordmark.example"]
    assert message["Subject"] == "[interfirm] nordmark: something waits for a person (sign)"
    assert message["X-Interfirm-Notice"] == "inbox-flow-1-3"
    assert "interfirm --as nordmark inbox list" in message.get_content()
    assert "Anna" not in message.as_string(), "what a contract or a peer says stays in the node"


def test_a_failed_flow_is_told_by_a_signed_webhook(receiver: Receiver, vault: Vault, tmp_path: Path) -> None:
    play(vault, by_webhook(receiver, tmp_path), lambda notifier: notifier.failed(FAILED))
    ((headers, body),) = receiver.taken
    data = json.loads(body)
    assert data["type"] == "interfirm.failed"
    assert (data["data"]["subject"], data["data"]["about"]) == ("order 4711", "exercise")
    assert headers["webhook-id"] == "failed-order%204711-1767600000500"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    code = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(code).decode()
    assert headers["webhook-timestamp"] == "1767600001"


@pytest.mark.parametrize("receiver", [(500, 429, 200)], indirect=True)
def test_what_is_not_taken_is_told_again_later_and_later(receiver: Receiver, vault: Vault, tmp_path: Path) -> None:
    pauses = play(vault, by_webhook(receiver, tmp_path), lambda notifier: notifier.item(ITEM))
    assert [body for _, body in receiver.taken] == [receiver.taken[0][1]] * 3
    assert pauses == [5, 10]


@pytest.mark.parametrize("receiver", [(307,)], indirect=True)
def test_a_redirect_is_not_followed(receiver: Receiver, tmp_path: Path) -> None:
    way = WebhookWay(by_webhook(receiver, tmp_path), now_ms=lambda: 0)
    with pytest.raises(Refusal, match=r"notify\.webhook"):
        way.tell(of_item(ITEM, firm="nordmark"))
    assert len(receiver.taken) == 1


def test_what_was_told_is_not_told_again(receiver: Receiver, vault: Vault, tmp_path: Path) -> None:
    with vault.turn() as turn:
        turn.put_inbox(ITEM)
    for _ in range(3):
        play(vault, by_webhook(receiver, tmp_path), lambda notifier: notifier.item(ITEM))
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("receiver", [(503, 204)], indirect=True)
def test_what_was_not_told_is_told_after_the_next_start(receiver: Receiver, vault: Vault, tmp_path: Path) -> None:
    with vault.turn() as turn:
        turn.put_inbox(ITEM)
        turn.put_flow(FAILED)
    settings = by_webhook(receiver, tmp_path, events=("inbox",))
    play(vault, settings, lambda notifier: None, failures=1)
    play(vault, settings, lambda notifier: None)
    ids = [headers["webhook-id"] for headers, _ in receiver.taken]
    assert ids == ["inbox-flow-1-3"] * 2, "and nothing that nobody wanted to hear of"


def test_marks_of_what_waits_no_longer_are_forgotten(receiver: Receiver, vault: Vault, tmp_path: Path) -> None:
    with vault.turn() as turn:
        turn.put_inbox(ITEM)
    settings = by_webhook(receiver, tmp_path)
    play(vault, settings, lambda notifier: None)
    with vault.turn() as turn:
        assert len(turn.blobs("notices-told")) == 1
        turn.set_inbox(ITEM.id, "approved")
    play(vault, settings, lambda notifier: None)
    with vault.read() as turn:
        assert turn.blobs("notices-told") == []


@pytest.mark.parametrize("kind", ["sign\r\nBcc: eve@elsewhere.example", "sign\nX: y", "sign\x00", "sign\u2028X"])
def test_a_text_that_would_make_a_header_of_its_own_is_refused(kind: str) -> None:
    notice = of_item(ITEM.replace(kind=kind), firm="nordmark")
    settings = NotifySettings(mail_to=("desk@nordmark.example",), mail_from="node@nordmark.example")
    with pytest.raises(Refusal, match=r"notify\.header"):
        message_of(notice, settings)


def test_a_flow_whose_id_has_lines_makes_no_header(receiver: Receiver, tmp_path: Path) -> None:
    notice = of_flow(FAILED.replace(id="x\r\nCookie: y"), firm="nordmark")
    WebhookWay(by_webhook(receiver, tmp_path), now_ms=lambda: 0).tell(notice)
    ((headers, _),) = receiver.taken
    assert "cookie" not in headers
    with pytest.raises(Refusal, match=r"notify\.header"):
        WebhookWay(by_webhook(receiver, tmp_path), now_ms=lambda: 0).tell(notice.replace(id="x\r\nCookie: y"))


def test_a_notice_that_cannot_be_written_does_not_stop_others(mailbox: Mailbox, vault: Vault, tmp_path: Path) -> None:
    def told(notifier: Notifier) -> None:
        notifier.item(ITEM.replace(id="bad", kind="sign\nBcc: eve@elsewhere.example"))
        notifier.item(ITEM)

    assert play(vault, by_mail(mailbox, tmp_path), told) == []
    assert mailbox.next()[1]["X-Interfirm-Notice"] == "inbox-flow-1-3"


def _refuses(way: MailWay, notice: Notice, *, hides: str) -> None:
    with pytest.raises(Refusal, match=r"notify\.mail") as caught:
        way.tell(notice)
    assert hides not in json.dumps(caught.value.as_plain())


def test_a_wrong_password_is_refused_without_being_told(mailbox: Mailbox, tmp_path: Path) -> None:
    settings = by_mail(mailbox, tmp_path)
    (tmp_path / "password").write_text("halibut")
    _refuses(MailWay(settings), of_item(ITEM, firm="nordmark"), hides="halibut")


def test_a_server_without_tls_gets_no_mail_where_tls_is_wanted(mailbox: Mailbox, tmp_path: Path) -> None:
    way = MailWay(by_mail(mailbox, tmp_path, smtp_security="starttls"))
    _refuses(way, of_item(ITEM, firm="nordmark"), hides=PASSWORD)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mail_to": ("a@b.example\r\nBcc: eve@x.example",)}, "configuration.address"),
        ({"mail_to": ("nobody",)}, "configuration.address"),
        ({"mail_from": ""}, "configuration.address"),
        ({"smtp_host": ""}, "configuration.host"),
        ({"smtp_host": "mail.example"}, "configuration.plain"),
        ({"smtp_port": 0}, "configuration.port"),
        ({"smtp_password_file": ""}, "configuration.smtp-user"),
        ({"webhook_url": "http://hooks.example/x"}, "configuration.url"),
        ({"webhook_url": "https://user:pass@hooks.example/x"}, "configuration.url"),
        ({"webhook_url": "https://hooks.example/x\r\ny"}, "configuration.url"),
        ({"webhook_url": "file:///etc/passwd"}, "configuration.url"),
        ({"webhook_url": "https://hooks.example/x"}, "configuration.webhook"),
    ],
)
def test_settings_that_are_not_safe_are_refused(
    mailbox: Mailbox, tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    settings = by_mail(mailbox, tmp_path)
    with pytest.raises(Refusal) as caught:
        settings.replace(**changes).checked()
    assert caught.value.code == code
