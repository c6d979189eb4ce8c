"""The keeper: stays with one program, writes down what it prints and how it ends."""

from __future__ import annotations

import os
import select
import signal
import time

from providers.drivers.process import cgroup, files, tree
from providers.drivers.process.journal import STDERR, STDOUT, JournalWriter

READ_BYTES = 64 * 1024
CLEANING_SECONDS = 5.0
"""How long after the program's end its other processes and their output are waited for."""
RETRY_SECONDS = 1.0


class Keeper:
    """One program's companion, in the process that is its parent."""

    def __init__(
        self, folder: str, pid: int, group: str, journal: JournalWriter, out: int, err: int
    ) -> None:
        self._folder = folder
        self._pid = pid
        self._group = group
        self._journal = journal
        self._streams = {out: STDOUT, err: STDERR}
        self._poll = select.poll()
        # Made before the program is, so that no end of a child can be missed.
        self._children, self._children_changed = os.pipe()
        os.set_blocking(self._children, False)
        os.set_blocking(self._children_changed, False)
        signal.set_wakeup_fd(self._children_changed, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for fd in (out, err, self._children):
            self._poll.register(fd, select.POLLIN)

    def keep(self, program: int, started_ns: int) -> None:
        """Stay to the program's end and the end of its output, then write it down."""
        status = self._reap(program)  # it may have ended before we began to listen
        while status is None:
            self._read(None)
            status = self._reap(program)
        finished_ns = time.time_ns()
        self._clean()
        self._journal.close()
        code = os.waitstatus_to_exitcode(status)
        end: dict[str, object] = {
            "exit_code": 128 - code if code < 0 else code,
            "started_ns": started_ns,
            "finished_ns": finished_ns,
        }
        while not self._write_end(end):
            time.sleep(RETRY_SECONDS)

    def _reap(self, program: int) -> int | None:
        """Take in every child that has ended, the orphans too; the program's status if it has."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == program:
                found = status

    def _read(self, milliseconds: int | None) -> bool:
        """Wait for output or the end of a child, and write the output down; false: nothing."""
        ready = self._poll.poll(milliseconds)
        for fd, _ in ready:
            if fd == self._children:
                os.read(fd, READ_BYTES)
                continue
            data = os.read(fd, READ_BYTES)
            if data:
                self._journal.write(self._streams[fd], time.time_ns(), data)
            else:
                self._poll.unregister(fd)
                os.close(fd)
                del self._streams[fd]
        return bool(ready)

    def _clean(self) -> None:
        """With the program goes all it has left behind, as in a container; then drain."""
        deadline = time.monotonic() + CLEANING_SECONDS
        while time.monotonic() < deadline:
            left = self._kill_rest()
            if not left and not self._streams:
                break
            if not self._read(20 if left else 200) and not left:
                break  # nobody of ours is left, yet a stranger holds the pipe and is silent
            self._reap(0)
        cgroup.remove(self._group)

    def _kill_rest(self) -> bool:
        left = tree.descendants(self._pid)
        if self._group:
            left |= cgroup.members(self._group)
            if left:
                cgroup.kill(self._group)
        tree.send(left, signal.SIGKILL)
        return bool(left)

    def _write_end(self, end: dict[str, object]) -> bool:
        """A full disk may not cost the result: true once it is written, or nobody wants it."""
        try:
            files.write_json(f"{self._folder}/{files.ENDED}", end)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
