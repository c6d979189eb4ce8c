"""The log viewer's page: output written as the log writer does, and what a reader sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread
from typing import Any

from django.db import connection, connections, transaction
from playwright.sync_api import Page

from jobs.log.frames import Chunk, pack
from jobs.log.reading import position
from jobs.models import Attempt, LogChunk
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from providers.driver import LogFrame, Stream
from tests.support.waiting import wait_until

AT = 1_800_000_000_000_000_000


def write(attempt: Attempt, *texts: bytes, stream: Stream = Stream.STDOUT, at_ns: int = AT) -> None:
    """Output as the log writer commits it, unfinished lines and all."""
    at = position(attempt.pk)
    joined = b"".join(texts)
    going_on = at.open_stderr if stream == Stream.STDERR else at.open_stdout
    frame = LogFrame(stream, at_ns, joined, not going_on, joined.endswith(b"\n"))
    with transaction.atomic():
        chunks, after = pack([frame], at)
        LogChunk.objects.bulk_create(
            LogChunk(attempt_id=attempt.pk, **{n: getattr(c, n) for n in Chunk.__slots__})
            for c in chunks
        )
        Attempt.objects.filter(pk=attempt.pk).update(
            log_seq=after.seq,
            log_lines=after.lines,
            log_stdout_bytes=after.stdout_bytes,
            log_stderr_bytes=after.stderr_bytes,
        )
        notify_live(LiveChanges(logs={attempt.pk: after.seq}))


def numbered(first: int, last: int) -> list[bytes]:
    return [b"line %d\n" % n for n in range(first, last + 1)]


def shown(page: Page) -> list[int]:
    """The numbers of the lines on the page, in their order."""
    return [int(text[1:]) for text in page.eval_on_selector_all(".l", "els => els.map(e => e.id)")]


def eventually_shown(page: Page, expected: list[int], seconds: float = 15) -> None:
    wait_until(lambda: shown(page) == expected, seconds, f"lines to {expected[-1]} are shown")


def eventually_in_view(page: Page, number: int, seconds: float = 20) -> None:
    """Waits until that line is in the viewer's window. Asks the page itself: Playwright's
    own `expect` describes the page while it waits, which blocks a page of many lines."""
    script = f"""() => {{
        const line = document.getElementById("L{number}")?.getBoundingClientRect();
        const box = document.querySelector("[data-log-lines]").getBoundingClientRect();
        return Boolean(line) && line.top >= box.top && line.bottom <= box.bottom + 1;
    }}"""
    wait_until(lambda: page.evaluate(script), seconds, f"line {number} is in view")


def scroll(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.eval_on_selector(
        "[data-log-lines]",
        "e => ({top: e.scrollTop, left: e.scrollHeight - e.clientHeight - e.scrollTop})",
    )
    return found


def finish(attempt: Attempt, outcome: str = "completed", exit_code: int = 0) -> None:
    """The attempt and its job end, as the engine would record it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_attempt SET phase = 'ended', outcome = %s, reason = 'exit_code',"
            " exit_code = %s, ended_at = now(), log_complete = true WHERE id = %s",
            [outcome, exit_code, attempt.pk],
        )
        cursor.execute(
            "UPDATE jobs_job SET state = %s, reason = 'exit_code', reason_detail = %s,"
            " rev = rev + 1, finished_at = now() WHERE id = %s",
            [outcome, f'{{"code": {exit_code}}}', attempt.job_id],
        )
        job = attempt.job
        job.refresh_from_db()
        notify_jobs([JobChange(job.pk, job.rev, job.project_id)])


def opened_ms(page: Page, number: int, seconds: float = 60) -> float:
    """How long after the page was asked for that line was in view, by the browser's clock."""
    eventually_in_view(page, number, seconds)
    found: float = page.evaluate("performance.now()")
    return found


@contextmanager
def flood(attempt: Attempt, first: int, *, per_tick: int = 20) -> Iterator[Callable[[], int]]:
    """Writes 200 numbered lines a second meanwhile; gives how many there are."""
    over, written = Event(), [first - 1]

    def keep_writing() -> None:
        for start in count(first, per_tick):
            write(attempt, *numbered(start, start + per_tick - 1))
            written[0] = start + per_tick - 1
            if over.wait(0.1):
                break
        connections.close_all()

    writer = Thread(target=keep_writing)
    writer.start()
    try:
        yield lambda: written[0]
    finally:
        over.set()
        writer.join()
