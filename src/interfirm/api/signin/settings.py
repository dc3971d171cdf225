"""Where browsers reach a node, and what follows from it for cookies, origins and passkeys. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from interfirm.base.errors import check
from interfirm.base.values import Value


class SigninSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[signin]`: signing in with a browser."""

    origin: str = ""
    """Where browsers reach the node, as `https://node.firm.example`; as `[api]` says where it is empty. Behind a proxy
    it is the proxy's."""
    path: str = ""
    """As `[api]` says."""
    landing: str = ""
    """The path that a browser is sent to from the provider; without one it is shown its session as JSON."""

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by HTTPS."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """The host that browsers know the node by, without port: what passkeys are bound to."""
        return urlsplit(self.origin).hostname or ""

    @property
    def is_safe(self) -> bool:
        """Whether nobody on the way reads what browsers send."""
        return self.is_secure or (self.origin.startswith("http://") and _is_loopback(self.host))

    def checked(self) -> SigninSettings:
        """These settings; Refusal `configuration.origin`, `configuration.landing`."""
        parts = urlsplit(self.origin)
        whole = f"{parts.scheme}://{parts.netloc}" == self.origin and bool(parts.hostname) and "@" not in parts.netloc
        check(whole and self.is_safe and self.origin == self.origin.lower(), "configuration.origin",
              "an origin is https:// and a host, or http:// and this machine", origin=self.origin)  # fmt: skip
        local = not self.landing or (self.landing.startswith("/") and self.landing[1:2] not in ("/", "\\"))
        check(local, "configuration.landing", "a landing is a path of this node", landing=self.landing)
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
