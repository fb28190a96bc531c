"""The station's figures for Prometheus, made new for each scrape."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dock_agent.away import away
from dock_agent.recording import BayState, LinkState
from dock_agent.watch.status import Status
from web_status.snapshot import Seen, usable

UP = frozenset({LinkState.ONLINE, LinkState.METERED})


def exposition(seen: Seen, age_s: float | None) -> bytes:
    """Return the text Prometheus reads; without live data only that it is so."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(seen, age_s))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, seen: Seen, age_s: float | None) -> None:
        self._seen, self._age_s = seen, age_s

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "live", "1 if the agent wrote its status just now", self._seen.live
        )
        if self._age_s is not None:
            yield _gauge(
                "heartbeat_age_seconds", "since the agent last wrote", self._age_s
            )
        if self._seen.live and self._seen.status is not None:
            yield from _figures(self._seen.status)


def _figures(status: Status) -> Iterator[Metric]:
    yield _bays(status)
    queue, vault = status.queue, status.vault
    yield _gauge("transfers_waiting", "objects still to be confirmed", queue.waiting)
    yield _gauge("transfers_waiting_bytes", "their size", queue.bytes)
    yield _gauge(
        "transfers_oldest_age_seconds", "how long the first waits", queue.oldest_age_s
    )
    yield _gauge("transfers_refused", "objects a person must look at", queue.refused)
    about = "objects for a destination that is not configured"
    yield _gauge("transfers_stranded", about, queue.stranded)
    yield _gauge("vault_free_bytes", "free in the vault", vault.free_bytes)
    yield _gauge("vault_usable_bytes", "free above the reserve", usable(vault))
    owed = away(status.owed, status.bays)
    yield _gauge("cameras_owed", "pulled early and not yet back", len(owed))
    about = "places where the custody log is not what it was, not acknowledged"
    yield _gauge("alarms", about, len(status.alarms))
    about = "such places that somebody has acknowledged"
    yield _gauge("alarms_acknowledged", about, len(status.acknowledged))
    yield _links(status)


def _gauge(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dock_{name}", about, value=float(value or 0))


def _bays(status: Status) -> GaugeMetricFamily:
    counted = Counter(bay.state for bay in status.bays)
    family = GaugeMetricFamily("dock_bays", "bays in each state", labels=["state"])
    for state in BayState:
        family.add_metric([state], counted[state])
    return family


def _links(status: Status) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "dock_link_up", "1 if the destination answered", labels=["destination"]
    )
    for link in status.links:
        family.add_metric([link.name], link.state in UP)
    return family
