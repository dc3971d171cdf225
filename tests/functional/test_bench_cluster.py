"""The benchmark of a cluster runs on a real engine, beside the engine's own kvstore, and says what it measured."""

from __future__ import annotations

import pytest
from tests.e2e.networks import answer, command
from tests.support.cluster import needs_engine

pytestmark = needs_engine

FLOOD = {"per_s", "block_ms", "client_cpu_us", "seconds", "engine_cpu_us", "cpu_us", "p50_ms", "p95_ms", "engine_mb"}
APPLICATION = {"application_cpu_us", "application_mb"}


def test_a_cluster_is_measured_beside_the_engines_own_kvstore() -> None:
    found = answer(command("bench", "notary", "--host", "cometbft", "--validators", "1", "--quick", "--json"))
    assert (found["name"], found["host"], found["figures"]["validators"]) == ("notary", "cometbft", 1)
    for envelope in ("one_an_envelope", "32_an_envelope"):
        assert {f"{envelope}_{name}" for name in FLOOD | APPLICATION} <= found["figures"].keys()
        assert found["figures"][f"{envelope}_per_s"] > 0
    assert {f"kvstore_{name}" for name in FLOOD} <= found["peers"].keys()
    per_s = max(found["figures"]["one_an_envelope_per_s"], found["figures"]["32_an_envelope_per_s"])
    assert found["ratio_to_kvstore"] == pytest.approx(per_s / found["peers"]["kvstore_per_s"], rel=0.01)
    assert found["figures"]["receipt_bytes"] > 300
    assert found["limited_by"]
    assert isinstance(found["target_met"], bool)


def test_a_validator_is_measured_with_few_and_with_many_outputs() -> None:
    words = ("bench", "notary", "--host", "cometbft", "--outputs", "1024", "--quick", "--json")
    found = answer(command(*words))
    assert found["figures"]["application_mb_1024"] > 20
    assert found["figures"]["application_cpu_us_512"] > 0
    assert found["ratios"]["memory_to_limit"] < 1


def test_a_host_that_is_none_is_refused() -> None:
    for arguments in (("bench", "notary", "--host", "paper"), ("bench", "store", "--host", "cometbft")):
        done = command(*arguments, "--quick", "--json")
        assert done.returncode
        assert "bench.host" in done.stdout + done.stderr
