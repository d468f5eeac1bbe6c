"""A number that grows with every commit, and those who wait for it to grow."""

import asyncio
import contextlib
import threading


class ChangeSignal:
    """Counts commits; `announce` may be called from any thread, `wait` from any event loop."""

    def __init__(self) -> None:
        """Start at zero, with nobody waiting."""
        self._token = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._guard = threading.Lock()

    @property
    def token(self) -> int:
        """The number of changes announced so far."""
        return self._token

    def is_waited_for(self) -> bool:
        """Whether anybody waits at this moment."""
        return bool(self._waiting)

    def announce(self) -> None:
        """Count a change and wake everybody who waits."""
        with self._guard:
            self._token += 1
            woken, self._waiting = self._waiting, set()
        for future in woken:
            with contextlib.suppress(RuntimeError):  # its event loop has ended: nobody waits there any more
                future.get_loop().call_soon_threadsafe(_resolve, future)

    async def wait(self, seen: int, timeout_sec: float) -> int:
        """Return the token as soon as it differs from `seen`, at the latest after `timeout_sec`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._guard:
            if self._token != seen:
                return self._token
            self._waiting.add(future)
        try:
            async with asyncio.timeout(timeout_sec):
                await future
        except TimeoutError:
            pass
        finally:
            with self._guard:
                self._waiting.discard(future)
        return self._token


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
