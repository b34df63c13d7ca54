"""Latency of one-pass models under a fixed number of clients, each with one request at a time (a closed loop)."""

from __future__ import annotations

import numpy as np

from advisor.performance.dynamic_batching import DynamicBatching, PassLatency
from advisor.performance.latency_shapes import Moments, lognormal_statistics
from advisor.performance.queueing import Array, Latency, Values

SPREAD_CV = 0.125
"""Coefficient of variation of latency where several batches circulate. From the 1,020 rows with more than two clients of
NVIDIA DeepLearningExamples' Triton tables (scenario online): p90, p95 and p99 are 1.18, 1.22 and 1.30 means at the
median row, 1.17, 1.22 and 1.33 with this value. In a simulation of two or three instances groups of clients drift apart
by about as much."""
STEADY_CV = 0.02
"""The same where requests are served one by one or by one or two clients: 506 rows of Triton Model Analyzer (ResNet-50
without batching), where p99 is 1.02 means at the median row, and 20 rows of the tables above, where it is 1.06."""
_MERGED_SHARE = 0.7  # this and the next fitted to the simulation of two and three instances, within 12 %
_MERGING_CLIENTS = 16.0


def closed_loop(server: DynamicBatching, *, concurrency: Values) -> PassLatency:
    r"""Return mean and percentiles of latency with `concurrency` clients that send again as soon as they are answered.

    With $k$ busy instances the clients form $k + 1$ groups, one of them queueing, each served in
    $S(n / (k + 1))$; nobody is served faster than full batches allow:
    $$L = \max\left(\left(1 + \frac{1}{k}\right) S\!\left(\frac{n}{k + 1}\right), \frac{n}{k} \frac{S(m)}{m}\right)$$
    With two instances or more the groups drift apart and partly merge, towards $2 a + c n$; a queue delay merges them
    all into one batch.

    Args:
        server: Batch times, batching and instances.
        concurrency: Clients, count; at least 1.

    Returns:
        Latencies in seconds, the overhead outside the server included; always stable.

    Source: mean values as in a closed network (Little's law); spread measured, see `SPREAD_CV`.

    Example:
        >>> server = DynamicBatching(batch_base_s=0.004, batch_per_item_s=0.0005, max_batch=32.0)
        >>> load = closed_loop(server, concurrency=8.0)  # 2 x 4 ms + 8 x 0.5 ms
        >>> round(float(load.latency.mean_s) * 1000, 3), float(load.mean_batch)
        (12.0, 4.0)
    """
    clients = np.asarray(concurrency, dtype=float)
    inside, overhead_s = clients, np.asarray(server.overhead_s, dtype=float)
    for _ in range(4):
        served_s, batch = _served_s(server, np.maximum(inside, 1.0))
        inside = clients * served_s / (served_s + overhead_s)
    shared = (np.asarray(server.max_batch) > 1.0) & (clients > 2.0)
    cv = np.hypot(np.where(shared, SPREAD_CV, STEADY_CV), server.batch_cv)
    mean_s = served_s + overhead_s
    latency = Latency.of(lognormal_statistics(Moments(mean_s, np.square(mean_s * cv))))
    full_s = server.batch_base_s + server.batch_per_item_s * server.max_batch
    utilization = clients / mean_s * full_s / (server.max_batch * server.instances)
    return PassLatency(
        latency, batch, np.asarray(np.minimum(utilization, 1.0)), np.ones(mean_s.shape, dtype=bool)
    )


def _served_s(server: DynamicBatching, clients: Array) -> tuple[Array, Array]:
    """Return the time in queue and model, and the mean batch, with `clients` requests there."""
    base, slope, most, instances = (
        server.batch_base_s,
        server.batch_per_item_s,
        server.max_batch,
        server.instances,
    )
    full_s = clients * (base + slope * most) / (most * instances)
    batch = np.clip(clients / (instances + 1.0), 1.0, most)
    queues = clients > instances
    grouped = np.where(queues, 1.0 + 1.0 / instances, 1.0) * (base + slope * batch)
    merged = 2.0 * base + slope * np.minimum(clients, 2.0 * most)
    drifting = queues & (np.asarray(instances) > 1.0) & (np.asarray(most) > 1.0)
    weight = np.where(drifting, _MERGED_SHARE * clients / (clients + _MERGING_CLIENTS * instances), 0.0)
    without_delay = (1.0 - weight) * grouped + weight * np.maximum(merged, grouped)
    together = np.minimum(clients, most)
    delay_s = np.asarray(server.max_queue_delay_s, dtype=float)
    with_delay = np.where(clients < most, delay_s, 0.0) + base + slope * together
    delayed = (delay_s > 0.0) & (np.asarray(most) > 1.0)
    served_s = np.maximum(np.where(delayed, with_delay, without_delay), full_s)
    return np.asarray(served_s), np.asarray(np.where(delayed, together, batch))
