"""What is measured while serving, for Prometheus. No label ever holds what somebody wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import cast

from flask import Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from index.errors import KhazriError
from index.home import Home
from index.jobs import STATUSES
from search.engine import Engine
from search.results import Answer

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, which nobody needs


class Metrics:
    """The measures of one app, in a registry of its own."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace="khazri", registry=self.registry)
        histogram = partial(Histogram, namespace="khazri", registry=self.registry, buckets=SECONDS)
        self.questions = counter(
            "questions", "Questions by what became of them.", ("interface", "outcome")
        )
        self.steps = histogram("step_seconds", "Seconds of each step of answering.", ("step",))
        self.requests = counter(
            "requests", "Requests by their reply.", ("method", "route", "status")
        )
        self.seconds = histogram(
            "request_seconds", "Seconds until the reply to a request began.", ("route",)
        )
        self.in_hand = Gauge(
            "requests_in_hand",
            "Requests that are being worked on.",
            namespace="khazri",
            registry=self.registry,
        )
        self.refused = counter("refused", "Requests refused because of a limit.", ("limit",))
        self.registry.register(_Stock(home, engine))
        ProcessCollector(registry=self.registry)

    def answered(self, interface: str, answer: Answer | None) -> None:
        """Count a question by what became of it; None where answering failed."""
        if answer is None:
            outcome = "error"
        elif not answer.answered:
            outcome = "refused"
        else:
            outcome = "answered" if answer.certain else "possible"
        self.questions.labels(interface, outcome).inc()

    def timed(self, step: str) -> AbstractContextManager[object]:
        """Measures a step of answering."""
        return cast(AbstractContextManager[object], self.steps.labels(step).time())

    def reply(self, accepted: str) -> Response:
        """All measures in the text format that is accepted."""
        encode, content_type = choose_encoder(accepted)
        return Response(encode(self.registry), content_type=content_type)

    def count(self, response: Response) -> Response:
        """Count the present request with its reply; of its address the rule, and not the path."""
        method = request.method if request.method in METHODS else "other"
        route = request.url_rule.rule if request.url_rule else "none"
        self.requests.labels(method, route, response.status_code).inc()
        self.seconds.labels(route).observe(perf_counter() - g.began)
        return response


class _Stock(Collector):
    """What is stored and waits, looked up when it is asked for."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self._home = home
        self._engine = engine
        self._known: tuple[int, list[Metric]] = (-1, [])

    def describe(self) -> list[Metric]:
        """Nothing: registering an app must not read its home."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The index, the jobs and the caches as they are now."""
        cache = self._engine.cache
        yield CounterMetricFamily(
            "khazri_cache_hits", "Replies given again from the cache.", value=cache.hits
        )
        yield CounterMetricFamily(
            "khazri_cache_misses", "Replies that were not in the cache.", value=cache.misses
        )
        jobs = GaugeMetricFamily("khazri_jobs", "Background jobs by status.", labels=["status"])
        try:
            yield from self._index()
            counted = self._home.jobs.count()
        except KhazriError:  # which the health check tells; the other measures are shown still
            return
        for status in STATUSES:
            jobs.add_metric([status], counted.get(status, 0))
        yield jobs

    def _index(self) -> list[Metric]:
        """The index; measured once in each generation."""
        with self._home.store.snapshot() as snapshot:
            if self._known[0] == snapshot.generation:
                return self._known[1]
            counts, changed = snapshot.count(), snapshot.last_change()
            measured = {
                "documents": ("Documents that are stored.", counts.documents),
                "passages": ("Passages that are searched.", counts.passages),
                "generation": ("The present generation: commits so far.", snapshot.generation),
                "last_commit_timestamp_seconds": (
                    "When a document was last added, changed or removed by hand; 0 for never.",
                    datetime.fromisoformat(changed).timestamp() if changed else 0,
                ),
                "home_bytes": ("Bytes of all files of the home.", self._home.size()),
            }
            found: list[Metric] = [
                GaugeMetricFamily(f"khazri_{name}", said, value=value)
                for name, (said, value) in measured.items()
            ]
            self._known = snapshot.generation, found
            return found
