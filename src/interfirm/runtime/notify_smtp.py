"""Notices by mail (RFC 5321, RFC 5322), over TLS unless the server is on this machine."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

from interfirm.base.errors import Refusal, check
from interfirm.runtime.notify import Notice
from interfirm.runtime.watching import NotifySettings, read_secret

TIMEOUT_S = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class MailWay:
    """Tells by mail; see notify.Way."""

    name = "mail"

    def __init__(self, settings: NotifySettings) -> None:
        """Refusal `configuration.secret` where the password cannot be read."""
        self._settings = settings
        self._password = read_secret(settings.smtp_password_file) if settings.smtp_password_file else ""

    def tell(self, notice: Notice) -> None:
        """Send one mail to all addresses, the notice's among them; Refusal `notify.mail`, `notify.header`."""
        message = message_of(notice, self._settings)
        try:
            with self._connected() as server:
                if self._settings.smtp_user:
                    server.login(self._settings.smtp_user, self._password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            # what a server answers to a login may hold what it was sent
            raise Refusal("notify.mail", "the mail could not be sent", reason=type(error).__name__) from error

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        host, port = settings.smtp_host, settings.smtp_port
        if settings.smtp_security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        if settings.smtp_security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server


def message_of(notice: Notice, settings: NotifySettings) -> EmailMessage:
    """The mail; Refusal `notify.header` where a text would make headers of its own."""
    people = tuple(dict.fromkeys((*settings.mail_to, *notice.to)))
    for text in (notice.title, notice.id, settings.mail_from, *people):
        check(_CONTROL.search(text) is None, "notify.header", "a header is one line", text=text[:100])
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.mail_from
    message["To"] = ", ".join(people)
    message["Subject"] = f"[interfirm] {notice.title}"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Interfirm-Notice"] = notice.id
    message.set_content(notice.text)
    return message
