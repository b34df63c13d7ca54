"""Evaluation on a real Dask cluster of worker processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advisor import Requirements, recommend

distributed = pytest.importorskip("distributed", reason="needs pip install 'inference-advisor[dask]'")


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def test_a_recommendation_made_on_a_worker_is_the_one_made_here(client: object) -> None:
    one_percent = Requirements(max_accuracy_loss="1%")
    there = client.get_executor().submit(recommend, "small-cnn", one_percent)  # type: ignore[attr-defined]
    assert there.result(timeout=120) == recommend("small-cnn", one_percent)
