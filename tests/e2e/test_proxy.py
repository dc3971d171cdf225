"""A node behind nginx as the operator's page shows it: each door works under a path; only the proxy is believed."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.networks import FIRMS, asker, network
from tests.support.nginx import nginx
from websockets.asyncio.client import connect

from interfirm.runtime.configuration import read_configuration
from interfirm.runtime.layout import Home, free_port

PATH = "/nordmark"
PASSWORD = "a good long password"
FORGED = {"X-Forwarded-For": "203.0.113.9"}
TEMPLATE = f"{PATH}/v1/contracts/cash.Cash"


class Site:
    """Where browsers and programs find the node."""

    def __init__(self, home: Home, port: int) -> None:
        self.home = home
        self.origin = f"https://127.0.0.1:{port}"
        self.inside = f"http://127.0.0.1:{read_configuration(home.configuration_path).api.port}"

    def client(self, *, base: str = "", address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """A program at an address of this machine; without a base it goes through the proxy."""
        transport = httpx.HTTPTransport(verify=False, local_address=address)
        return httpx.Client(transport=transport, base_url=base or self.origin, headers=headers, timeout=30)

    def token(self, name: str, role: str) -> str:
        asker(self.home).call("access.person-put", {"name": name, "roles": [role]})
        return f"Bearer {asker(self.home).call('access.token-new', {'person': name})['token']}"

    def code(self, name: str) -> str:
        asker(self.home).call("access.person-put", {"name": name, "roles": ["clerk"]})
        code: str = asker(self.home).call("access.invite", {"person": name})["code"]
        return code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    settings = {"API_PATH": PATH, "API_PROXIES": '["127.0.0.1"]', "SIGNIN_ORIGIN": f"https://127.0.0.1:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"INTERFIRM_{name}", value)
        with network(folder / "network", FIRMS[:1]) as layout:
            made = Site(layout.firm(FIRMS[0][0]), port)
            with nginx(_place(folder), port=port, to_port=int(made.inside.rpartition(":")[2])):
                yield made


def _place(folder: Path) -> Path:
    place = folder / "nginx"
    place.mkdir()
    return place


def cash(site: Site) -> dict[str, Any]:
    name = site.home.member.name
    return {"fields": {"issuer": name, "owner": name, "amount": {"amount": "7.00", "currency": "EUR"}}}


def test_rest_names_places_as_they_are_seen_from_outside(site: Site) -> None:
    with site.client(Authorization=site.token("rest", "clerk")) as client:
        made = client.post(TEMPLATE, json=cash(site))
        assert made.status_code == 201, made.text
        assert made.headers["location"].startswith(f"{TEMPLATE}/")
        assert client.get(made.headers["location"]).json()["fields"]["amount"]["amount"] == "7.00"
        assert client.get(f"{PATH}/v1/openapi.json").json()["servers"] == [{"url": PATH}]
        assert client.get(f"{PATH}/health").status_code == 200
        beside = client.get("/v1/openapi.json")
        assert "nginx" in beside.text, "elsewhere the host is not the node's"


def test_events_come_as_they_happen(site: Site) -> None:
    with (
        site.client(Authorization=site.token("events", "clerk")) as client,
        client.stream("GET", f"{PATH}/v1/events?after=0") as events,
    ):
        made = client.post(TEMPLATE, json=cash(site))
        ref = made.headers["location"].rpartition("/")[2]
        data = (json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: "))
        assert next(each for each in data if ref in [one["ref"] for one in each["made"]])["ended"] == []


def test_graphql_streams_over_a_websocket(site: Site) -> None:
    token = site.token("graph", "clerk")
    with site.client(Authorization=token) as client:
        client.post(TEMPLATE, json=cash(site)).raise_for_status()
        asked = client.post(f"{PATH}/graphql", json={"query": "{ cash_Cash { rows { _ref } } }"})
        assert asked.status_code == 200, asked.text
        assert asked.json()["data"]["cash_Cash"]["rows"]
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE

    async def first() -> dict[str, Any]:
        address = site.origin.replace("https", "wss") + f"{PATH}/graphql"
        async with asyncio.timeout(60), connect(
            address, subprotocols=["graphql-transport-ws"], ssl=trust, additional_headers={"Authorization": token}
        ) as socket:  # fmt: skip
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            query = 'subscription { cash_Cash_stream(after: "0") { rows { _ref } } }'
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
            found: dict[str, Any] = json.loads(await socket.recv())
            return found

    assert asyncio.run(first())["payload"]["data"]["cash_Cash_stream"]["rows"]


def test_people_sign_in_from_the_proxys_origin_alone(site: Site) -> None:
    with site.client() as browser:
        given = {"code": site.code("anna"), "password": PASSWORD}
        elsewhere = browser.post(f"{PATH}/v1/session/invitation", json=given, headers={"Origin": site.inside})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "http.origin")
        signed = browser.post(f"{PATH}/v1/session/invitation", json=given, headers={"Origin": site.origin})
        assert signed.status_code == 201, signed.text
        cookie = signed.headers["set-cookie"]
        assert cookie.startswith("__Host-interfirm-nordmark-session=")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert browser.get(f"{PATH}/v1/contracts/cash.Cash").status_code == 200
        without = browser.post(TEMPLATE, json=cash(site), headers={"Origin": site.origin})
        assert without.status_code == 403, "nor without the session's own token"
        with_it = {"Origin": site.origin, "X-CSRF-Token": signed.json()["csrf"]}
        assert browser.post(TEMPLATE, json=cash(site), headers=with_it).status_code == 201


def addresses(client: httpx.Client, site: Site, name: str, path: str, **headers: str) -> list[str]:
    """Whence somebody is seen to have signed in."""
    given = {"code": site.code(name), "password": PASSWORD}
    headers |= {"Origin": site.origin}
    signed = client.post(f"{path}/v1/session/invitation", json=given, headers=headers)
    assert signed.status_code == 201, signed.text
    cookie = signed.headers["set-cookie"].partition(";")[0]
    sessions = client.get(f"{path}/v1/sessions", headers={"Cookie": cookie}).json()["sessions"]
    return [each["address"] for each in sessions]


def test_a_client_is_known_by_its_address_whatever_it_claims(site: Site) -> None:
    with site.client(address="127.0.0.2") as client:
        assert addresses(client, site, "bert", PATH, **FORGED) == ["127.0.0.2"]


def test_whoever_is_no_listed_proxy_is_not_believed(site: Site) -> None:
    with site.client(base=site.inside, address="127.0.0.3") as client:
        assert addresses(client, site, "carl", "", **FORGED) == ["127.0.0.3"]


def test_the_listed_proxy_is_believed(site: Site) -> None:
    with site.client(base=site.inside) as client:
        assert addresses(client, site, "dora", "", **FORGED) == ["203.0.113.9"]


def test_who_fails_often_waits_and_cannot_pass_for_many(site: Site) -> None:
    with site.client(address="127.0.0.4") as client:
        found = set()
        for number in range(40):
            given = {"name": f"nobody-{number}", "password": "not the password"}
            headers = {"X-Forwarded-For": f"203.0.113.{number}", "Origin": site.origin}
            answer = client.post(f"{PATH}/v1/session", json=given, headers=headers)
            found.add(answer.json()["code"])
            if "access.too-many" in found:
                return
    raise AssertionError(f"nobody had to wait: {found}")


def test_metrics_are_not_for_whoever_comes_through_the_proxy(site: Site) -> None:
    with site.client() as client:
        assert client.get(f"{PATH}/metrics").status_code == 401
        assert client.get(f"{PATH}/metrics", headers={"Host": "127.0.0.1"}).status_code == 401
    with site.client(base=site.inside) as client:
        assert client.get("/metrics").status_code == 200
