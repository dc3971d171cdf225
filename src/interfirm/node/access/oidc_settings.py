"""The firm's provider of OpenID Connect: `[oidc]` of a node's configuration. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from interfirm.base.errors import check
from interfirm.base.values import Value

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""What an ID token may be signed with: by a key that the provider alone has."""


class OidcSettings(Value, frozen=True, forbid_unknown_fields=True):
    """`[oidc]`: the firm's provider of OpenID Connect."""

    issuer: str = ""
    """As the provider's discovery document says it; empty: no provider."""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    name_claim: str = "email"
    """The claim that is a person's name here; an e-mail address has to be a verified one."""
    roles_claim: str = "groups"
    roles: dict[str, tuple[str, ...]] = {}
    """The roles that each value of `roles_claim` gives. They are set at every sign-in, and who is unknown is added;
    without any, people and their roles are an administrator's matter."""

    def checked(self) -> OidcSettings:
        """These settings; Refusal `configuration.oidc`."""
        if self.issuer:
            check(is_safe(self.issuer), "configuration.oidc", "a provider is reached by https://", issuer=self.issuer)
            check(bool(self.client_id), "configuration.oidc", "the provider knows this node by a client_id")
            check("openid" in self.scopes, "configuration.oidc", "the scopes include openid", scopes=list(self.scopes))
            wrong = sorted(set(self.algorithms) - ALGORITHMS)
            check(not wrong and bool(self.algorithms), "configuration.oidc", "an ID token is signed by a key of the"
                  " provider alone", algorithms=wrong, known=sorted(ALGORITHMS))  # fmt: skip
        return self


def is_safe(url: str) -> bool:
    """Whether nobody on the way can answer in another's place."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
