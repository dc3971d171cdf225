"""Which firms' nodes a host's process runs, as the nodes' files say, and what cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.runtime import supervise
from interfirm.runtime.configuration import Configuration, read_configuration
from interfirm.runtime.group import configured, entities_of, hosts, url_at
from interfirm.runtime.layout import Home, NetworkLayout, free_slug, new_network

FIRMS = [
    ("Halden Retail BV", "BE0812345603"), ("Halden Austria GmbH", "ATU12345675"), ("Kern Logistics NV", "BE0543210955")
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> NetworkLayout:
    return new_network(tmp_path_factory.mktemp("group") / "network", FIRMS, name="test", at_ms=1_800_000_000_000)


@pytest.fixture
def layout(made: NetworkLayout) -> Iterator[NetworkLayout]:
    """The network, whose nodes' files are afterwards as they were."""
    files = {path: path.read_text() for each in made.members for path in [made.home(each).configuration_path]}
    yield made
    for path, text in files.items():
        path.write_text(text)
    for each in made.members:
        made.home(each).pid_path.unlink(missing_ok=True)


def write(layout: NetworkLayout, host: str, entities: str) -> Home:
    home = layout.firm(host)
    with home.configuration_path.open("a") as file:
        file.write(f"\n[group]\nentities = {entities}\n")
    return home


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process passes for a node's."""
    monkeypatch.setattr(supervise, "_is_ours", lambda pid: pid == os.getpid())


def runs(home: Home, host: str = "") -> None:
    """A process number as a node's process writes it."""
    home.pid_path.write_text(f"{os.getpid()} {host}".strip())


def test_firms_that_begin_alike_have_folders_of_their_own(layout: NetworkLayout) -> None:
    assert [member.slug for member in layout.members] == ["halden", "halden-austria", "kern"]
    assert layout.firm("halden").member.name == "Halden Retail BV"
    assert layout.firm("halden-austria").member.name == "Halden Austria GmbH"
    assert free_slug("Notary Services", ()) == "notary-services"
    with pytest.raises(Refusal, match=r"^firm\.exists: "):
        free_slug("Kern", ("kern",))


def test_a_host_runs_the_entities_that_its_file_names(layout: NetworkLayout) -> None:
    host = write(layout, "halden", '["kern", "halden-austria"]')
    assert [each.member.slug for each in entities_of(layout, host)] == ["kern", "halden-austria"]
    assert hosts(layout) == {"kern": "halden", "halden-austria": "halden"}
    assert entities_of(layout, layout.firm("kern")) == []
    url = url_at(layout, host)
    assert url_at(layout, layout.firm("kern")) == f"{url}/entities/kern"


@pytest.mark.parametrize(
    ("host", "entities", "reason"),
    [
        ("halden", '["nobody"]', "no such firm"), ("halden", '["../kern"]', "no such firm"),
        ("halden", '["halden"]', "its own entity"), ("halden", '["kern", "kern"]', "named twice"),
        ("halden", '["notary"]', "no such firm"),
    ],
)  # fmt: skip
def test_a_firm_that_cannot_be_hosted_is_refused(layout: NetworkLayout, host: str, entities: str, reason: str) -> None:
    home = write(layout, host, entities)
    with pytest.raises(Refusal, match=r"^configuration\.group: ") as refused:
        entities_of(layout, home)
    assert reason in str(refused.value)


def test_a_firm_has_one_host_and_a_host_has_none(layout: NetworkLayout) -> None:
    halden = write(layout, "halden", '["halden-austria"]')
    kern = write(layout, "kern", '["halden-austria"]')
    with pytest.raises(Refusal, match="runs with halden"):
        entities_of(layout, kern)
    kern.configuration_path.write_text('[group]\nentities = ["halden"]\n')
    with pytest.raises(Refusal, match="is a host itself"):
        entities_of(layout, kern)
    assert len(entities_of(layout, halden)) == 1


def test_a_setting_that_is_none_of_a_group_is_refused(layout: NetworkLayout) -> None:
    home = write(layout, "halden", "7")
    with pytest.raises(Refusal, match=r"^configuration\.setting: "):
        entities_of(layout, home)
    assert hosts(layout) == {}


def test_the_environment_makes_no_groups(layout: NetworkLayout) -> None:
    path = layout.firm("halden").configuration_path
    assert read_configuration(path, {"INTERFIRM_GROUP_ENTITIES": '["kern"]'}).group.entities == ()


def test_an_entity_is_reached_where_its_host_is_and_keeps_settings_of_its_own(layout: NetworkLayout) -> None:
    kern = layout.firm("kern")
    kern.configuration_path.write_text("[api]\nport = 9\n[webhooks]\nprivate = true\n[log]\nlevel = 'debug'\n")
    host = Configuration()
    found = configured(kern, host)
    assert (found.api.port, found.log, found.webhooks.private) == (0, host.log, True)


@pytest.mark.usefixtures("ours")
def test_a_hosted_firm_is_not_started_alone_while_its_host_runs(layout: NetworkLayout) -> None:
    host = write(layout, "halden", '["kern"]')
    kern = layout.firm("kern")
    supervise.check_alone(layout, kern)
    runs(host)
    with pytest.raises(Refusal, match=r"^group\.hosted: "):
        supervise.start(layout, [kern])
    runs(kern, "halden")
    supervise.start(layout, [host, kern])  # both run: nothing is to be done
    assert supervise.host_of(kern) == "halden"
    assert supervise.host_of(host) == ""


@pytest.mark.usefixtures("ours")
def test_a_hosted_firm_is_not_stopped_without_its_host(layout: NetworkLayout) -> None:
    runs(layout.firm("kern"), "halden")
    with pytest.raises(Refusal, match=r"^group\.hosted: "):
        supervise.stop([layout.firm("kern")])


def test_passphrases_of_a_group_are_files_of_one_folder(
    layout: NetworkLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERFIRM_PASSPHRASE_FILE", str(tmp_path))
    assert layout.firm("kern").passphrase_path == tmp_path / "kern"
    monkeypatch.setenv("INTERFIRM_PASSPHRASE_FILE", str(tmp_path / "one"))
    assert layout.firm("kern").passphrase_path == tmp_path / "one"
