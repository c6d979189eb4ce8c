"""Procrastinate as its manual sets it up, in two processes with ten tasks at once each."""

from __future__ import annotations

import multiprocessing
import sys

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

WORKERS, AT_ONCE = 2, 10


def main(url: str, command: str, *words: str) -> None:
    """`prepare`, `submit <n>` or `work`."""
    if command == "prepare":
        with _app(SyncPsycopgConnector(conninfo=url)).open() as app:
            app.schema_manager.apply_schema()
    elif command == "submit":
        with _app(SyncPsycopgConnector(conninfo=url)).open() as app:
            app.tasks["nothing"].batch_defer(*[{} for _ in range(int(words[0]))])
    else:
        workers = [multiprocessing.Process(target=_work, args=(url,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def _app(connector: object) -> App:
    app = App(connector=connector)

    @app.task(name="nothing")  # type: ignore[untyped-decorator]
    async def nothing() -> None:
        pass

    return app


def _work(url: str) -> None:
    _app(PsycopgConnector(conninfo=url)).run_worker(concurrency=AT_ONCE)


if __name__ == "__main__":
    main(*sys.argv[1:])
