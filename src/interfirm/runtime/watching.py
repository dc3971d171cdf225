"""How a node is watched: the sections `[log]`, `[telemetry]` and `[notify]` of its configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value

Level = Literal["debug", "info", "warning", "error"]
_ADDRESS = re.compile(r"[^\s@<>,;:\\\"()\[\]\x00-\x1f\x7f]+@[A-Za-z0-9.\-\[\]:]+")
_LOCAL = ("127.0.0.1", "::1", "localhost")


class LogSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[log]`: what is written to the log."""

    level: Level = "info"
    """`debug` tells of every flow that ended well, too."""

    def checked(self) -> LogSettings:
        """The same; its fields' kinds say all."""
        return self


class TelemetrySettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[telemetry]`: where traces go."""

    endpoint: str = ""
    """Where a collector takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`; empty: nowhere."""
    header_file: str = ""
    """A file with one line `Name: value` that the collector wants to see."""
    percent: int = 100
    """How many traces of a hundred are sent; all firms that say the same send the same ones."""

    def checked(self) -> TelemetrySettings:
        """The same; Refusal `configuration.url`, `configuration.percent`."""
        if self.endpoint:
            check_url(self.endpoint)
        check(0 <= self.percent <= 100, "configuration.percent", "a share is 0 to 100", percent=self.percent)
        return self


class NotifySettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[notify]`: who is told when something waits for a person or for approvals, or a flow has failed."""

    mail_to: tuple[str, ...] = ()
    """Addresses; empty: no mail."""
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` only to a server on this machine."""
    smtp_user: str = ""
    smtp_password_file: str = ""
    webhook_url: str = ""
    """Where a signed JSON message is posted; empty: nowhere."""
    webhook_secret_file: str = ""
    """The secret that signs (https://www.standardwebhooks.com); 16 bytes at least."""
    events: tuple[Literal["inbox", "failed", "approval"], ...] = ("inbox", "failed", "approval")

    def checked(self) -> NotifySettings:
        """The same; Refusal `configuration.*` where it is not complete, not safe, or would forge a header."""
        for address in (*self.mail_to, *([self.mail_from] if self.mail_to else [])):
            check(is_address(address), "configuration.address", "this is no address for mail", address=address[:100])
        if self.mail_to:
            check(_is_host(self.smtp_host), "configuration.host", "mail needs a server", host=self.smtp_host[:100])
            check(0 < self.smtp_port <= 65_535, "configuration.port", "a port is between 1 and 65535",
                  port=self.smtp_port)  # fmt: skip
            safe = self.smtp_security != "none" or self.smtp_host in _LOCAL
            check(safe, "configuration.plain", "mail leaves this machine only over TLS", host=self.smtp_host[:100])
            check(bool(self.smtp_user) is bool(self.smtp_password_file), "configuration.smtp-user",
                  "a user at the mail server needs a password file, and the other way round")  # fmt: skip
        if self.webhook_url:
            check_url(self.webhook_url)
            check(bool(self.webhook_secret_file), "configuration.webhook", "a webhook needs a secret to sign with")
        return self


def is_address(text: str) -> bool:
    """Whether mail can be sent there, and nothing else be smuggled in."""
    return _ADDRESS.fullmatch(text) is not None


def check_url(url: str) -> None:
    """Refuse (`configuration.url`) what is no address over HTTPS, or over HTTP on this machine."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname in _LOCAL
        good = (parts.scheme == "https" or plain) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    good = good and re.search(r"[\x00-\x20\x7f]", url) is None and "@" not in url.partition("://")[2].partition("/")[0]
    check(good, "configuration.url", "an address is https://..., or http:// on this machine", url=url[:200])


def _is_host(host: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9.\-:]{1,253}", host) is not None


def read_secret(path: str) -> str:
    """The first line of a file with a secret; Refusal `configuration.secret`."""
    try:
        text = Path(path).read_text().strip("\r\n")
    except (OSError, ValueError) as error:
        raise Refusal("configuration.secret", "a file with a secret cannot be read", path=path) from error
    check("\n" not in text and bool(text), "configuration.secret", "a file with a secret has one line", path=path)
    return text
