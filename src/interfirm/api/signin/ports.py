"""What signing in needs of a node beside what other doors need."""

from __future__ import annotations

from typing import Protocol

from interfirm.api.ports import NodePort
from interfirm.api.signin.service import SignIn


class SigninPort(NodePort, Protocol):
    """A node where people sign in."""

    signin: SignIn
