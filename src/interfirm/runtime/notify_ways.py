"""The ways to tell people that a node's configuration names."""

from __future__ import annotations

from collections.abc import Callable

from interfirm.runtime.notify import Way
from interfirm.runtime.notify_smtp import MailWay
from interfirm.runtime.notify_webhook import WebhookWay
from interfirm.runtime.watching import NotifySettings


def ways_of(settings: NotifySettings, *, now_ms: Callable[[], int]) -> list[Way]:
    """The ways in which notices are told; Refusal `configuration.secret`."""
    ways: list[Way] = []
    if settings.mail_to:
        ways.append(MailWay(settings))
    if settings.webhook_url:
        ways.append(WebhookWay(settings, now_ms=now_ms))
    return ways
