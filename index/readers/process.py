"""Files are read in a process of their own, so that a file can only break that.

The process is started at first use and reads one file after the other. A file that takes too long
or too much memory ends it; the next file gets a new one. It is spawned, never forked: a fork of a
process with threads may hang.
"""

from __future__ import annotations

import atexit
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from threading import Lock
from time import monotonic

from index.readers.inside import Part

SECONDS = 10  # for one text, and one more for each megabyte of the file
LONGEST = 600  # seconds for all that is within one file
MEMORY = 4 << 30  # bytes of address space; libraries and their threads take one of the four
REST = "the rest"  # what was not reached any more within a file
SWOLLEN = 1 << 30  # bytes of memory at which the process makes way for a new one


class Process:
    """The process that reads, seen from the one that asks. Any thread may ask; one is served."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._limits = (seconds, memory)
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def parts(self, data: bytes, name: str) -> Iterator[Part]:
        """All that a file holds. Where it breaks the process, a last part says how."""
        with self._lock:
            ended, path = False, ""
            try:
                pipe = self._started()
                pipe.send_bytes(name.encode("utf-8", "surrogatepass"))
                pipe.send_bytes(data)
                while isinstance(told := pickle.loads(pipe.recv_bytes()), Part):
                    yield told
                    path = REST
                ended = bool(told)
            except (EOFError, OSError):
                yield Part(path, None, self._verdict())
            finally:
                if not ended:  # it has swollen, is gone, or nobody wants the rest
                    self._stop()

    def _started(self) -> Connection:
        if self._child is not None and self._pipe is not None and self._child.poll() is None:
            return self._pipe
        self._stop()
        self._pipe, theirs = Pipe()
        with theirs:
            # -P: a file that lies where the command is typed must not pass for a module.
            command = [sys.executable, "-P", "-m", "index.readers.process", str(theirs.fileno())]
            self._child = subprocess.Popen(
                [*command, *map(str, self._limits)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what libraries say of a file is told as its reason
            )
        return self._pipe

    def _verdict(self) -> str:
        """Why the process ended."""
        status = self._child.wait() if self._child is not None else 0
        if status == -signal.SIGALRM:
            return f"too slow: reading it took over {self._limits[0]:.0f} seconds"
        return "damaged: it broke the program that reads it"

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._child = self._pipe = None

    def close(self) -> None:
        """End the process; another one starts when it is asked again."""
        with self._lock:
            self._stop()


_process = Process()
atexit.register(_process.close)


def parts(data: bytes, name: str) -> Iterator[Part]:
    """All that a file holds, read by the process that this one shares."""
    yield from _process.parts(data, name)


# The process itself


def _serve(pipe: Connection, seconds: float, memory: int) -> None:
    from index.readers import inside

    with suppress(ValueError, OSError):  # where the system knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    while True:
        name = pipe.recv_bytes().decode("utf-8", "surrogatepass")
        data = pipe.recv_bytes()
        allowed, path, began = seconds + len(data) / 1e6, "", monotonic()
        reading = inside.parts(data, name)
        try:
            while part := _next(reading, allowed):
                pipe.send_bytes(pickle.dumps(part))
                path = REST
                if monotonic() - began > LONGEST:
                    part = Part(path, None, f"too slow: all of it takes over {LONGEST} seconds")
                    pipe.send_bytes(pickle.dumps(part))
                    break
        except MemoryError:
            part = Part(path, None, f"too large: reading it takes over {memory >> 30} GB of memory")
            pipe.send_bytes(pickle.dumps(part))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            reading.close()
        del data
        pipe.send_bytes(pickle.dumps(not _swollen()))  # whether it can go on


def _next(reading: Generator[Part], allowed: float) -> Part | None:
    """The next part, in no more than ``allowed`` seconds: the signal ends even what hangs."""
    signal.setitimer(signal.ITIMER_REAL, allowed)
    part = next(reading, None)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return part


def _swollen() -> bool:
    # Not by ru_maxrss, which begins with what the process had that started this one.
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return False
    return resident * resource.getpagesize() > SWOLLEN


if __name__ == "__main__":
    with suppress(EOFError, BrokenPipeError), Connection(int(sys.argv[1])) as asked:
        _serve(asked, float(sys.argv[2]), int(sys.argv[3]))
