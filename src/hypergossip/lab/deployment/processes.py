"""Several agents as processes of this machine; their output bears their names, and none is left behind."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple

LAST_LINES = 3
REFUSED = 2
GRACE = 30.0  # seconds that processes have between a signal and their end
PAUSE = 0.05


class Failure(NamedTuple):
    """A process that did not end as it should.

    Attributes:
        name: The agent's name.
        status: The exit status; minus the number of a signal that ended it.
        lines: Its last lines.
    """

    name: str
    status: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Returns a sentence."""
        how = f"was ended by {signal.Signals(-self.status).name}" if self.status < 0 else f"ended with {self.status}"
        text = " | ".join(self.lines) or "it wrote nothing"
        return f"{self.name} {how}; its last lines: {text}"


class _Process:
    """A process and the thread that reads its output."""

    def __init__(self, name: str, command: Sequence[str], show: Callable[[str], None], lock: threading.Lock) -> None:
        self.name, self.lines = name, deque[str](maxlen=LAST_LINES)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        # A session of its own: Ctrl-C on the terminal reaches the launcher alone, which passes it on once.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout, show, lock), daemon=True)
        self.reader.start()

    def _read(self, output: IO[bytes], show: Callable[[str], None], lock: threading.Lock) -> None:
        with output:
            for raw in output:
                line = raw.decode(errors="replace").rstrip()
                if line:
                    self.lines.append(line)
                with lock, suppress(OSError):  # nobody may be left to read it, and the process must not wait for that
                    show(f"{self.name} | {line}")

    @property
    def ended(self) -> bool:
        """Whether it has ended. Its number is not free for another process before `end`."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, how) is not None

    def send(self, number: int) -> None:
        """Sends a signal to it and to what it started itself."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Ends what it started itself, and returns its exit status."""
        self.send(signal.SIGKILL)
        status = self.process.wait()
        self.reader.join(timeout=5)
        return status


def run_together(
    commands: Mapping[str, Sequence[str]], show: Callable[[str], None], grace: float = GRACE
) -> list[Failure]:
    """Runs processes until all have ended, and returns those that failed.

    SIGINT and SIGTERM are passed on to all of them. If a process refuses its configuration (status 2), the others,
    which would wait for it, are ended; if it fails later, they continue.

    Args:
        commands: The agent's name -> the command.
        show: Receives every line of their output, after the agent's name.
        grace: The time in seconds that processes have to end after a signal, before they are killed.

    Raises:
        KeyboardInterrupt: After SIGINT or SIGTERM, when all processes have ended.
    """
    running: list[_Process] = []
    failures: list[Failure] = []
    lock = threading.Lock()
    killed_at = float("inf")
    with _signals() as received:
        try:
            passed = 0
            for name, command in commands.items():
                running.append(_Process(name, command, show, lock))
            while running:
                if len(received) > passed:
                    number = received[-1] if passed == 0 else signal.SIGKILL
                    passed, killed_at = len(received), min(killed_at, time.monotonic() + grace)
                    _send(running, number)
                if time.monotonic() > killed_at:
                    _send(running, signal.SIGKILL)
                for one in [one for one in running if one.ended]:
                    running.remove(one)
                    status = one.end()
                    if status != 0 and killed_at == float("inf"):
                        failures.append(Failure(one.name, status, tuple(one.lines)))
                        if status == REFUSED:
                            killed_at = time.monotonic() + grace
                            _send(running, signal.SIGTERM)
                time.sleep(PAUSE if running else 0)
        finally:
            for one in running:
                one.end()
    if received:
        raise KeyboardInterrupt(f"{signal.Signals(received[0]).name}; all agents have ended.")
    return failures


def end_with_parent(parent: int) -> None:
    """Ends this process by SIGTERM, and if need be by SIGKILL, when the process that started it is gone.

    Args:
        parent: The identifier of that process.
    """

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="parent").start()


def _send(processes: Sequence[_Process], number: int) -> None:
    for one in processes:
        one.send(number)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of raising an exception wherever the program is."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
