"""The jobs of the demonstration: whose each is, and the spec that they submit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.hello import IMAGE
from orchestrator.demo import programs
from orchestrator.demo.places import EDGE, OLD, SPOT
from orchestrator.demo.programs import plays

KEY = "demo/"
"""How the idempotency key of each begins: it tells them from the jobs of others, and a
second run makes none of them again."""

HOUR = 3600
SMALL = {"cpu_cores": 0.1, "memory_mb": 64}


@dataclass(frozen=True, slots=True)
class Wish:
    """One job to submit: by whom, and what."""

    key: str
    by: str
    spec: dict[str, Any]

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.spec["name"])


def _wish(name: str, by: str, project: str, *, again: int = 0, **spec: Any) -> Wish:
    fields = {"name": name, "project": project} | spec
    return Wish(f"{KEY}{name}/{again}", by, fields)


def _pool(name: str) -> list[dict[str, Any]]:
    return [{"key": "pool", "op": "eq", "values": [name]}]


def _batch(tag: str, command: list[str], cpu: float = 1, memory: int = 1024) -> dict[str, Any]:
    return {
        "image": f"registry.example/{tag}",
        "command": command,
        "requires": _pool("batch"),
        "resources": {"cpu_cores": cpu, "memory_mb": memory},
    }


def _real(place: str, script: str, **resources: float) -> dict[str, Any]:
    return {
        "image": IMAGE,
        "script": script,
        "provider": place,
        "resources": SMALL | resources,
    }


@dataclass(frozen=True, slots=True)
class Series:
    """A job that comes again and again: its usual seconds, and what it says."""

    name: str
    by: str
    project: str
    times: int
    seconds: float
    tag: str
    labels: dict[str, str]
    lines: tuple[str, ...]
    fails: tuple[int, ...] = ()
    """Which of them end with exit code 1."""


SERIES: Sequence[Series] = (
    Series("nightly-etl", "maya", "data-platform", 12, 6, "etl/shop:4.2.0",
           {"team": "warehouse", "schedule": "nightly"},
           ("extract 5 tables", "load fact_orders: 412,003 rows", "done")),
    Series("hourly-rollup", "jonas", "data-platform", 20, 3, "etl/rollup:1.9.3",
           {"team": "warehouse", "schedule": "hourly"},
           ("window 13:00 to 14:00", "rolled up 88,410 events", "done"), fails=(7,)),
    Series("export-parquet", "jonas", "data-platform", 8, 4, "etl/export:2.0.1",
           {"team": "analytics"}, ("partition dt=2026-11-25", "62 files, 3.1 GiB", "done")),
    Series("invoice-pdf", "elif", "billing", 24, 2, "billing/invoice-pdf:7.1",
           {"team": "invoices", "run": "november"},
           ("render 250 invoices", "250 of 250 stored", "done"), fails=(4, 15)),
    Series("dunning-letters", "elif", "billing", 6, 3, "billing/letters:3.3",
           {"team": "invoices"}, ("18 accounts past due", "18 letters queued", "done")),
    Series("eval-ranker", "tomas", "ranking", 10, 5, "ranking/eval:0.12.4",
           {"team": "ranking", "branch": "main"},
           ("611,020 pairs", "ndcg@10 0.4312   mrr 0.3877", "done"), fails=(3,)),
    Series("embed-catalog", "priya", "ranking", 8, 5, "ranking/embed:2.6.0",
           {"team": "search"}, ("batch of 4,096 products", "18,204 vectors written", "done")),
)  # fmt: skip

_FAILS = ("ERROR upstream answered 502 for page 3", "gave up after 5 tries")


ROUNDS = 24


def history(seed: int = 7) -> Iterator[list[Wish]]:
    """The series in rounds, each to be over before the next, so that none overtakes itself and
    all of them go on to the end."""
    rolls = random.Random(seed)
    for turn in range(ROUNDS):
        wave = [
            _member(series, n, rolls)
            for series in SERIES
            for n in range(series.times)
            if n * ROUNDS // series.times == turn
        ]
        rolls.shuffle(wave)
        yield wave


def _member(series: Series, n: int, rolls: random.Random) -> Wish:
    seconds = series.seconds * rolls.uniform(0.75, 1.3)
    if n in series.fails:
        command = plays(seconds, *series.lines[:1], errors=_FAILS, exit=1)
    else:
        command = plays(seconds, *series.lines)
    job = _batch(series.tag, command, rolls.choice([0.5, 1, 2]), rolls.choice([512, 1024, 2048]))
    return _wish(series.name, series.by, series.project, again=n, labels=series.labels, **job)


def running(local: str | None) -> list[Wish]:
    """Those that go on when everything has been made."""
    found = [
        _wish("transcode-lectures", "maya", "data-platform", labels={"team": "media"},
              **_batch("media/ffmpeg:7.1", plays(2 * HOUR, "input 4.1 GiB, 41 lectures",
                       "pass 1 of 2"), 8, 16_384)),
        _wish("reprocess-clickstream", "jonas", "data-platform", labels={"team": "analytics"},
              **_batch("etl/clicks:3.8.2", plays(2 * HOUR, "days 2026-11-01 to 2026-11-24",
                       "24 days, 6 at a time"), 6, 12_288)),
        _wish("vat-reconciliation", "elif", "billing", priority=80, labels={"team": "ledger"},
              **_batch("billing/vat:5.0", plays(2 * HOUR, "reading 214,003 bookings"), 2, 4096)),
    ]  # fmt: skip
    for n in range(4):
        found.append(_sweep(n))
    for sensor in ("turnstiles", "meters", "air-quality"):
        found.append(
            _wish(f"ingest-{sensor}", "jonas", "data-platform", provider=EDGE,
                  image="registry.example/edge/ingest:1.4", labels={"team": "iot"},
                  command=plays(2 * HOUR, f"listening for {sensor}", "0 s behind"),
                  resources={"cpu_cores": 1, "memory_mb": 1024})
        )  # fmt: skip
    for shelf in ("a", "b"):
        found.append(
            _wish(f"archive-shelf-{shelf}", "maya", "data-platform", provider=OLD,
                  image="registry.example/archive/tar:1.1", labels={"team": "storage"},
                  command=plays(2 * HOUR, f"shelf {shelf}: 18,220 files"),
                  resources={"cpu_cores": 2, "memory_mb": 4096})
        )  # fmt: skip
    if local:
        found += [
            _wish("nightly-etl", "maya", "data-platform", again=1000, priority=70,
                  labels={"team": "warehouse", "schedule": "nightly"},
                  **_real(local, programs.NIGHTLY_ETL)),
            _wish("train-ranker", "priya", "ranking", labels={"team": "ranking", "branch": "main"},
                  **_real(local, programs.TRAIN_RANKER, cpu_cores=0.2)),
            _wish("crawl-sitemaps", "tomas", "ranking", labels={"team": "search"},
                  **_real(local, programs.CRAWL)),
            _wish("build-search-index", "admin", "ranking", labels={"team": "search"},
                  **_real(local, programs.BUILD_INDEX)),
        ]  # fmt: skip
    return found


def _sweep(n: int) -> Wish:
    rate = (0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28)[n]
    return _wish(
        f"sweep-lr-{rate:g}", "priya", "ranking",
        image="registry.example/ranking/train:0.31.0", requires=_pool("gpu"),
        command=plays(2 * HOUR, f"learning rate {rate:g}", "epoch 1 of 40"),
        labels={"team": "ranking", "sweep": "lr-november"},
        resources={"cpu_cores": 4, "memory_mb": 32_768, "gpus": 1},
    )  # fmt: skip


def lost() -> Wish:
    """On the provider that goes away and is given up."""
    return _wish("sync-fleet-positions", "jonas", "data-platform", provider=SPOT,
                 image="registry.example/iot/fleet:2.2", labels={"team": "iot"},
                 command=plays(2 * HOUR, "312 vehicles"),
                 resources={"cpu_cores": 1, "memory_mb": 1024})  # fmt: skip


def stopped() -> list[tuple[Wish, str]]:
    """Those that are cancelled, each with who does it: two that run, one that is held."""
    return [
        (_wish("backfill-2019", "jonas", "data-platform", labels={"team": "warehouse"},
               **_batch("etl/shop:4.2.0", plays(2 * HOUR, "2019-01-01", "2019-01-02",
                        term_out="SIGTERM: finishing 2019-01-02%0A", term=1), 4, 8192)), "maya"),
        (_wish("load-test-checkout", "tomas", "ranking",
               **_batch("qa/k6:0.55", plays(HOUR, "400 virtual users"), 4, 2048)), "tomas"),
        (_wish("send-price-list", "elif", "billing", hold=True,
               **_batch("billing/mailer:2.0", plays(1))), "elif"),
    ]  # fmt: skip


def ends(local: str | None, *, eats_memory: bool) -> list[Wish]:
    """One for each way to end badly, and some that end well at a second look.

    `eats_memory`: the local engine keeps a job to its memory, so running out of it is real.
    """
    found = [
        _wish("score-fraud", "elif", "billing", image="registry.example/risk/score:denied",
              command=plays(1), requires=_pool("batch")),
        _wish("scrape-prices", "tomas", "ranking",
              image="registry.example/search/scraper:not-found", command=plays(1),
              requires=_pool("batch")),
        _wish("compact-events", "maya", "data-platform",
              **_batch("etl/compact:1.0", plays(4, "merging 9,310 small files", oom=1), 2, 2048)),
        _wish("verify-signatures", "elif", "billing",
              **_batch("billing/sign:1.2", plays(1, fault="start:could_not_start"))),
        _wish("benchmark-four-gpus", "priya", "ranking", queue_timeout_seconds=20,
              image="registry.example/ranking/bench:1.0", command=plays(10),
              requires=_pool("gpu"), resources={"cpu_cores": 8, "memory_mb": 65_536, "gpus": 4}),
    ]  # fmt: skip
    if local is None:
        return found
    found += [
        _wish("churn-features", "jonas", "data-platform", labels={"team": "analytics"},
              **_real(local, programs.TRACEBACK)),
        _wish("publish-handbook", "maya", "data-platform", **_real(local, programs.NO_MKDOCS)),
        _wish("wait-for-replica", "jonas", "data-platform",
              **_real(local, programs.NEVER_DONE, timeout_seconds=8)),
        _wish("encode-geohashes", "tomas", "ranking", **_real(local, programs.CRASHES)),
        _wish("weekly-report", "admin", "data-platform",
              **(_real(local, "") | {"script": None, "command": ["/app/report", "--week", "47"]})),
        _wish("pull-fx-rates", "elif", "billing", labels={"team": "ledger"},
              retry={"max_attempts": 4, "backoff_seconds": 3, "on": []},
              **_real(local, programs.THIRD_TIME_LUCKY)),
        _wish("replay-webhooks", "elif", "billing",
              retry={"max_attempts": 3, "backoff_seconds": 2, "on": [22]},
              **_real(local, programs.ALWAYS_REFUSED)),
        _wish("check-backups", "admin", "data-platform", labels={"team": "storage"},
              **_real(local, programs.MANY_LINES)),
        _wish("sync-crm", "elif", "billing", env={"CRM_USER": "gantry-sync"},
              secret_env={"CRM_TOKEN": "crm_live_2f81c0d94b7e"},
              **_real(local, programs.WITH_SECRET)),
        _wish("smoke-test", "maya", "data-platform", **_real(local, programs.SMOKE_TEST)),
    ]  # fmt: skip
    if eats_memory:
        found.append(
            _wish("render-tiles", "maya", "data-platform", labels={"team": "maps"},
                  **_real(local, programs.EATS_MEMORY, memory_mb=32))
        )  # fmt: skip
    return found


def waiting() -> list[Wish]:
    """Those that wait, each for another reason."""
    big = {"cpu_cores": 16, "memory_mb": 1024 * 1024}
    return [
        _wish("embed-corpus", "priya", "ranking", image="registry.example/ranking/embed:2.6.0",
              command=plays(60), requires=_pool("batch"), resources=big),
        _wish("release-notes", "maya", "data-platform", hold=True,
              **_batch("docs/notes:1.0", plays(2))),
        _wish("merge-feeds", "tomas", "ranking",
              retry={"max_attempts": 5, "backoff_seconds": HOUR, "on": []},
              **_batch("search/feeds:3.1", plays(1, "12 feeds",
                       errors=("ERROR feed 7 is locked by another run",), exit=1))),
        _wish("report-edge-health", "jonas", "data-platform", provider=EDGE,
              image="registry.example/edge/report:1.0", command=plays(5)),
        _wish("build-arm-wheels", "tomas", "ranking", image="registry.example/build/wheels:3.12",
              command=plays(30), requires=[{"key": "arch", "op": "eq", "values": ["arm64"]}]),
        _wish("archive-shelf-c", "maya", "data-platform", provider=OLD,
              image="registry.example/archive/tar:1.1", command=plays(60)),
        *(_sweep(n) for n in range(4, 8)),
    ]  # fmt: skip
