"""Where browsers reach a node, by its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.runtime.configuration import Configuration, read_configuration


def read(folder: Path, text: str, **environment: str) -> Configuration:
    path = folder / "node.toml"
    path.write_text(text)
    return read_configuration(path, environment)


def test_browsers_reach_a_node_where_it_listens(tmp_path: Path) -> None:
    assert read(tmp_path, "[api]\nport = 8080\n").signin.origin == "http://127.0.0.1:8080"
    assert not read(tmp_path, "[api]\nport = 8080\n").signin.is_secure
    secure = '[api]\nhost = "192.0.2.1"\nport = 8443\ncertificate = "a"\nkey = "b"\n'
    assert read(tmp_path, secure).signin.origin == "https://192.0.2.1:8443"


def test_browsers_reach_a_node_behind_a_proxy_where_it_is_said(tmp_path: Path) -> None:
    behind = '[api]\nhost = "192.0.2.1"\nport = 8080\nproxies = ["192.0.2.2"]\n'
    assert read(tmp_path, behind).signin.origin == ""
    found = read(tmp_path, behind, INTERFIRM_SIGNIN_ORIGIN="https://node.firm.example")
    assert (found.signin.origin, found.signin.host, found.signin.is_secure) == (
        "https://node.firm.example", "node.firm.example", True,
    )  # fmt: skip


def test_a_node_that_is_not_reached_by_http_has_no_browsers(tmp_path: Path) -> None:
    assert read(tmp_path, "").signin.origin == ""


def test_an_origin_that_others_could_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^configuration\.origin: "):
        read(tmp_path, '[signin]\norigin = "http://node.firm.example"\n')


def test_a_path_of_a_proxy_is_known_where_people_sign_in(tmp_path: Path) -> None:
    text = '[api]\nport = 8080\npath = "/nordmark"\nproxies = ["192.0.2.0/24", "::1"]\n'
    assert read(tmp_path, text).signin.path == "/nordmark"
    assert read(tmp_path, text, INTERFIRM_SIGNIN_ORIGIN="https://node.firm.example").signin.path == "/nordmark"


@pytest.mark.parametrize("wrong", ["nordmark", "/", "/nordmark/", "//other.example", "/..", "/a?b", "/a b"])
def test_what_is_no_path_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Refusal, match=r"^configuration\.path: "):
        read(tmp_path, f'[api]\nport = 8080\npath = "{wrong}"\n')


@pytest.mark.parametrize("wrong", ["*", "proxy.firm.example", "", "10.0.0.1/8"])
def test_a_proxy_is_named_by_its_address(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Refusal, match=r"^configuration\.proxy: "):
        read(tmp_path, f'[api]\nproxies = ["{wrong}"]\n')
