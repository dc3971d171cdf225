"""Changes reach webhooks signed, in order and in the end, and nothing reaches what lies in private networks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.unit.api.rest.nodes import Client, FirmNode, cash, made, nodes

from interfirm.api.pushing import Pushing
from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.api.webhooks import deliver
from interfirm.api.webhooks.sending import HttpSender
from interfirm.api.webhooks.signing import signed_headers
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node import kept as spaces
from interfirm.node import webhooks
from interfirm.node.access import people
from interfirm.node.access.types import Caller, Role, Rule
from interfirm.node.webhooks import check_url, is_public

CASH = "/v1/contracts/cash.Cash"
URL = "https://erp.example/hook"
KEEPER = Role(
    name="keeper", about="Keeps webhooks about cash.",
    operations=("changes.list", "create", "webhooks.new", "webhooks.list", "webhooks.delete", "webhooks.resume"),
    rules=(Rule(template="cash.Cash", read=True, create=True),),
)  # fmt: skip
Delivery = tuple[str, dict[str, str], bytes]


class Receiver:
    """Takes deliveries, or says no as often as it was told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.attempts: list[str] = []
        self.taken: asyncio.Queue[Delivery] = asyncio.Queue()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.attempts.append(headers["Webhook-Id"])
        if self.failures:
            self.failures -= 1
            raise Refusal("webhook.answer", "the receiver did not take it", status=500)
        self.taken.put_nowait((url, dict(headers), body))


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@asynccontextmanager
async def delivering(node: FirmNode, receiver: Any) -> AsyncIterator[None]:
    """A node that delivers to a receiver."""
    vault = node.firm.vault
    pushing = Pushing(node.port, vault, node.firm.firm.keys.vrf, changes=node.changes, sender=receiver)
    node.app = rest_app(node.port, Answers(vault, node.firm.clock_ms), more=pushing.endpoints)
    task = asyncio.ensure_future(pushing.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def run(node: FirmNode, receiver: Any, course: Callable[[Client], Awaitable[None]]) -> None:
    """Let a keeper of webhooks do something while the node delivers."""

    async def whole() -> None:
        async with delivering(node, receiver), asyncio.timeout(60):
            await course(node.client("kim", KEEPER))

    asyncio.run(whole())


async def hook(keeper: Client, **more: Any) -> dict[str, Any]:
    answer = await keeper.asks("POST", "/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def issue(node: FirmNode, keeper: Client) -> str:
    return made(await keeper.asks("POST", CASH, json=cash(node))).rpartition("/")[2]


async def listed(keeper: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await keeper.asks("GET", "/v1/webhooks")).json()["webhooks"]
    return found


def test_a_change_is_delivered_with_a_signature_that_its_receiver_can_check(node: FirmNode) -> None:
    receiver = Receiver()

    async def course(keeper: Client) -> None:
        kept = await hook(keeper)
        ref = await issue(node, keeper)
        url, headers, body = await receiver.taken.get()
        assert (url, json.loads(body)["data"]["made"]) == (URL, [{"ref": ref, "template": "cash.Cash"}])
        signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
        key = base64.b64decode(kept["secret"].removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        assert headers["Webhook-Signature"] == f"v1,{expected}"
        assert "secret" not in (await listed(keeper))[0]

    run(node, receiver, course)


def test_the_signature_is_that_of_the_standards_example() -> None:
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message="msg_p5jXN8AQM9LWM0D4loKWxJek", at_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )  # fmt: skip
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_not_taken_is_sent_again_under_the_same_id_until_it_is(
    node: FirmNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "RETRY_MS", 0)
    receiver = Receiver(failures=3)

    async def course(keeper: Client) -> None:
        kept = await hook(keeper)
        await issue(node, keeper)
        await issue(node, keeper)
        numbers = [json.loads((await receiver.taken.get())[2])["data"]["number"] for _ in range(2)]
        assert numbers == [1, 2]
        assert receiver.attempts == [f"{kept['id']}-1"] * 4 + [f"{kept['id']}-2"]

    run(node, receiver, course)


def test_a_node_that_was_stopped_goes_on_where_it_was(node: FirmNode) -> None:
    receiver = Receiver()

    async def before(keeper: Client) -> None:
        await hook(keeper)
        await issue(node, keeper)
        await receiver.taken.get()
        while (await listed(keeper))[0]["delivered"] != 1:
            await asyncio.sleep(0)

    run(node, receiver, before)
    made(node.client("kim", KEEPER).post(CASH, json=cash(node)))

    restarted = Receiver()

    async def after(keeper: Client) -> None:
        assert json.loads((await restarted.taken.get())[2])["data"]["number"] == 2

    run(node, restarted, after)


def test_a_webhook_that_fails_for_too_long_is_stopped_until_it_is_resumed(
    node: FirmNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "RETRY_MS", 0)
    receiver = Receiver(failures=1_000_000)

    async def course(keeper: Client) -> None:
        kept = await hook(keeper)
        await issue(node, keeper)
        while not receiver.attempts:
            await asyncio.sleep(0)
        node.world.agenda.now_ms += LIMITS.webhook_give_up_ms
        while not (found := (await listed(keeper))[0])["stopped"]:
            await asyncio.sleep(0)
        assert found["failure"] == "webhook.answer"
        receiver.failures = 0
        assert (await keeper.asks("POST", f"/v1/webhooks/{kept['id']}/resume")).json()["stopped"] is False
        assert json.loads((await receiver.taken.get())[2])["data"]["number"] == 1

    run(node, receiver, course)


def test_nothing_is_sent_for_somebody_who_has_left(node: FirmNode) -> None:
    receiver = Receiver()

    async def course(keeper: Client) -> None:
        await hook(keeper)
        with node.firm.vault.turn() as turn:
            people.put_person(turn, people.person_of(turn, "kim").replace(active=False))
        await issue(node, node.client("ann", "clerk"))
        while True:
            with node.firm.vault.read() as turn:
                kept = webhooks.hooks(turn)[0]
            if kept.stopped:
                break
            await asyncio.sleep(0)
        assert (kept.failure, receiver.attempts) == ("access.unknown-caller", [])

    run(node, receiver, course)


def test_a_webhook_sends_its_template_alone(node: FirmNode) -> None:
    receiver = Receiver()

    async def course(keeper: Client) -> None:
        await hook(keeper, template="cash.Redemption")
        await hook(keeper, template="cash.Cash")
        await issue(node, keeper)
        await receiver.taken.get()
        while [each["delivered"] for each in await listed(keeper)] != [1, 1]:
            await asyncio.sleep(0)
        assert len(receiver.attempts) == 1

    run(node, receiver, course)


def test_a_webhook_is_its_makers_own(node: FirmNode) -> None:
    async def course(keeper: Client) -> None:
        kept = await hook(keeper)
        other = node.client("lou", KEEPER)
        assert await listed(other) == []
        assert (await other.asks("DELETE", f"/v1/webhooks/{kept['id']}")).status_code == 404
        assert (await keeper.asks("DELETE", f"/v1/webhooks/{kept['id']}")).status_code == 200
        assert await listed(keeper) == []

    run(node, Receiver(), course)


@pytest.mark.parametrize("url", [
    "ftp://erp.example", "https://", "https://erp.example/a b", "https://erp.example/\r\nX: y", "https://u:p@erp.example",
    "https://erp.example/#part", "https://erp.example:0/", "https://erp.example:x/", "https://\u0435rp.example/",
    "https://[::1", f"https://erp.example/{'a' * 2_000}",
])  # fmt: skip
def test_an_address_that_is_more_than_an_address_is_refused(url: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_url(url)
    assert refusal.value.code == "webhook.url"


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
])  # fmt: skip
def test_nothing_is_sent_to_this_machine_or_a_private_network(address: str) -> None:
    assert not is_public(address)

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", address]

    with pytest.raises(Refusal) as refusal:
        asyncio.run(HttpSender(resolve=resolve).send(URL, {}, b""))
    assert refusal.value.code == "webhook.address"


def test_a_name_that_stands_for_another_address_at_the_next_look_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, reached = [["93.184.216.34"], ["127.0.0.1"]], []

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def sent(_: HttpSender, target: Any, address: str, *more: Any) -> None:
        reached.append((target.host, address))

    monkeypatch.setattr(HttpSender, "_sent", sent)
    sender = HttpSender(resolve=resolve)
    asyncio.run(sender.send(URL, {}, b""))
    assert (reached, len(answers)) == ([("erp.example", "93.184.216.34")], 1)
    with pytest.raises(Refusal) as refusal:
        asyncio.run(sender.send(URL, {}, b""))
    assert refusal.value.code == "webhook.address"


def test_an_address_of_the_public_internet_is_one() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(("answer", "code"), [
    (b"HTTP/1.1 204 No Content\r\n\r\n", None), (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "webhook.answer"),
    (b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "webhook.answer"),
    (b"junk\r\n\r\n", "webhook.unreachable"), (b"", "webhook.unreachable"),
])  # fmt: skip
def test_a_delivery_is_done_when_its_receiver_says_so(answer: bytes, code: str | None) -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def whole() -> None:
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            sender = HttpSender(private=True, resolve=resolve)
            await sender.send(f"http://erp.example:{port}/hook?a=b", {"Webhook-Id": "1"}, b"{}")

    if code is None:
        asyncio.run(whole())
    else:
        with pytest.raises(Refusal) as refusal:
            asyncio.run(whole())
        assert refusal.value.code == code
    assert got[0].startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"\r\nhost: erp.example:" in got[0].lower()


def test_beyond_the_own_network_it_goes_by_https_alone() -> None:
    with pytest.raises(Refusal) as refusal:
        asyncio.run(HttpSender().send("http://erp.example/", {}, b""))
    assert refusal.value.code == "webhook.url"


def test_a_fault_that_cannot_even_be_noted_ends_the_delivery_so_that_it_is_begun_again(
    node: FirmNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the vault fell shut")

    async def course() -> None:
        await hook(node.client("kim", KEEPER))
        monkeypatch.setattr("interfirm.api.webhooks.deliver.find_hook", broken)
        with pytest.raises(RuntimeError, match="the vault fell shut"):
            await asyncio.wait_for(node.pushing.run(), 30)

    asyncio.run(course())


def test_a_webhook_ends_with_the_token_that_it_was_made_with_and_goes_on_under_another(node: FirmNode) -> None:
    receiver = Receiver()

    async def course(keeper: Client) -> None:
        kept = await hook(keeper)
        token = keeper.headers["Authorization"].split("_")[1]
        other = node.client("kim", KEEPER)
        with node.firm.vault.turn() as turn:
            people.revoke_token(turn, token, now_ms=node.firm.clock_ms())
        await issue(node, other)
        while not (found := (await listed(other))[0])["stopped"]:
            await asyncio.sleep(0.001)
        assert (found["failure"], receiver.attempts) == ("access.revoked", [])
        assert (await other.asks("POST", f"/v1/webhooks/{kept['id']}/resume")).status_code == 200
        assert (await receiver.taken.get())[0] == URL

    run(node, receiver, course)


def test_a_webhook_ends_when_its_token_does(node: FirmNode) -> None:
    receiver = Receiver()

    async def course(keeper: Client) -> None:
        await hook(keeper)
        with node.firm.vault.turn() as turn:
            (token,) = people.tokens(turn)
            spaces.put(turn, people.TOKENS, token.id.encode(), token.replace(expires_ms=node.firm.clock_ms()))
        other = node.client("kim", KEEPER)
        await issue(node, other)
        while not (found := (await listed(other))[0])["stopped"]:
            await asyncio.sleep(0.001)
        assert (found["failure"], receiver.attempts) == ("access.expired", [])

    run(node, receiver, course)


def test_a_webhook_is_not_made_in_a_session_which_it_would_outlive(node: FirmNode) -> None:
    node.client("kim", KEEPER)
    kim = Caller(name="kim", roles=(KEEPER.name,), door="session")
    with pytest.raises(Refusal, match="made with a token") as caught:
        node.desk.of(kim).handle("webhooks.new", {"url": URL})
    assert caught.value.code == "webhook.token"
