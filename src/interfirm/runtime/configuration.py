"""How one node runs: `node.toml` in its folder, each setting overridden by `INTERFIRM_<SECTION>_<SETTING>`.

A file that is not there means the defaults; a setting that is not known, or not of its kind, is refused by its name.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.runtime.watching import LogSettings, NotifySettings, TelemetrySettings

PREFIX = "INTERFIRM_"


class ApiSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[api]`: where programs and people of the firm reach the node by HTTP."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: nowhere."""
    certificate: str = ""
    """PEM file of the chain for HTTPS; without one it is HTTP."""
    key: str = ""
    """PEM file of the certificate's key."""
    proxies: tuple[str, ...] = ()
    """Addresses (or networks) of proxies that end TLS and are believed about who asks (`X-Forwarded-For`)."""
    path: str = ""
    """The path under which a proxy shows the node and which it takes off, as `/nordmark`; empty: all of the host."""


class WebhookSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[webhooks]`: where programs may have changes sent to."""

    private: bool = False
    """Also into private networks, and without TLS."""


class RetentionSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[retention]`: whether what rules let go is archived every day."""

    archive_to: str = ""
    """The folder of this machine for archives, from the root of the file system; empty: by command only."""


class GroupSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[group]`: the firms of a group whose nodes this one's process runs. Only in the file: other commands read it."""

    entities: tuple[str, ...] = ()
    """The names of their folders."""


class Configuration(Value, frozen=True, forbid_unknown_fields=True):
    """All of `node.toml`."""

    api: ApiSettings = ApiSettings()
    signin: SigninSettings = SigninSettings()
    oidc: OidcSettings = OidcSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    notify: NotifySettings = NotifySettings()
    webhooks: WebhookSettings = WebhookSettings()
    retention: RetentionSettings = RetentionSettings()
    group: GroupSettings = GroupSettings()


_OVERRIDDEN = frozenset(Configuration.__struct_fields__) - {"group"}


def read_configuration(path: Path, environment: Mapping[str, str] | None = None) -> Configuration:
    """The configuration in a file with the overrides of the environment; Refusal `configuration.*`."""
    given = _given(path)
    for name, text in (os.environ if environment is None else environment).items():
        section, _, setting = name.removeprefix(PREFIX).lower().partition("_")
        if name.startswith(PREFIX) and section in _OVERRIDDEN and setting:
            given.setdefault(section, {})[setting] = _typed(text)
    try:
        found = msgspec.convert(given, Configuration)
    except msgspec.ValidationError as error:
        raise Refusal("configuration.setting", "a setting is unknown or not of its kind", path=str(path),
                      reason=str(error)) from error  # fmt: skip
    _check_api(found.api, path)
    for settings in (found.log, found.telemetry, found.notify):
        settings.checked()
    return found.replace(signin=_signin(found), oidc=found.oidc.checked())


def _signin(found: Configuration) -> SigninSettings:
    """Where browsers reach the node: where it listens, unless it is said; nowhere by what is not safe for them."""
    placed = found.signin.replace(path=found.api.path)
    if placed.origin:
        return placed.checked()
    derived = placed.replace(origin=url_of(found.api))
    return derived.checked() if derived.is_safe else placed


def _given(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refusal("configuration.file", "the configuration cannot be read", path=str(path),
                      reason=str(error)[:300]) from error  # fmt: skip


def _typed(text: str) -> Any:
    """A value as TOML has it, or a plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _check_api(api: ApiSettings, path: Path) -> None:
    check(0 <= api.port <= 65_535, "configuration.port", "a port is between 0 and 65535", path=str(path), port=api.port)
    pair = bool(api.certificate) is bool(api.key)
    check(pair, "configuration.tls", "HTTPS needs a certificate and its key", path=str(path))
    for proxy in api.proxies:
        _check_proxy(proxy, path)
    placed = not api.path or re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", api.path) is not None
    check(placed, "configuration.path", "a path begins with / and does not end with it", path=str(path), given=api.path)
    try:
        inside = ipaddress.ip_address(api.host).is_loopback
    except ValueError:
        raise Refusal("configuration.host", "a host is an IP address", path=str(path), host=api.host) from None
    safe = inside or bool(api.certificate) or bool(api.proxies)
    check(safe, "configuration.plain", "beyond this machine only with a certificate, or behind a proxy",
          path=str(path), host=api.host)  # fmt: skip


def _check_proxy(proxy: str, path: Path) -> None:
    """Whoever is believed can say that a request comes from anywhere: so it is named by address, and never `*`."""
    try:
        ipaddress.ip_network(proxy)
    except ValueError:
        raise Refusal("configuration.proxy", "a proxy is an IP address, or a network of them", path=str(path),
                      proxy=proxy[:80]) from None  # fmt: skip


def written_configuration(*, api_port: int) -> str:
    """The text of a new node's file."""
    return (
        "# How this node runs. Every setting may also come from the environment: INTERFIRM_API_PORT=8443.\n"
        "[api]\n"
        "# Where programs and people of the firm reach the node; port 0: nowhere.\n"
        'host = "127.0.0.1"\n'
        f"port = {api_port}\n"
    )


def url_of(api: ApiSettings) -> str:
    """Where the node is reached by HTTP; empty where it is not."""
    if not api.port:
        return ""
    host = f"[{api.host}]" if ":" in api.host else api.host
    return f"{'https' if api.certificate else 'http'}://{host}:{api.port}"
