"""One renewal of one login, with its lock held: step 4 of upstream.md 2.5."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from qwen_auth.errors import DeadTokenError, FileError, NeedsLoginError
from qwen_auth.files import Warn
from qwen_auth.lock import FileLock
from qwen_auth.oauth import OAuthCredentials
from qwen_auth.token import Token

HEARTBEAT = 2.0  # seconds between two signs of life on a held lock, which is stale after 10 s

Ask = Callable[[Token], Awaitable[Token]]


async def replace_token(name: str, credentials: OAuthCredentials, old: str, ask: Ask, warn: Warn) -> None:
    """Have another access token than `old`: someone else's if there is one by now, else a granted one."""
    file = credentials.file
    async with _held(file.lock()):
        await _catch_up(name, credentials, warn)
        if credentials.token.access_token != old and credentials.state != "expired":
            return
        # The refresh token works once: better no refresh than one whose fruit cannot be stored.
        await asyncio.to_thread(file.check_room)
        used = credentials.token
        try:
            granted = await ask(used)
        except DeadTokenError as dead:
            # Someone who does not keep to the lock may have used it up, and have stored its successor.
            await _catch_up(name, credentials, warn)
            if credentials.token == used:
                credentials.problem = f"was refused a new token ({dead})"
                raise NeedsLoginError(name, credentials.problem) from dead
            return
        credentials.granted(granted)
        await _save(name, credentials, warn)


async def bring_up_to_date(name: str, credentials: OAuthCredentials, warn: Warn) -> None:
    """Store what could not be stored before, unless the file has moved on."""
    async with _held(credentials.file.lock()):
        await _catch_up(name, credentials, warn)


async def _catch_up(name: str, credentials: OAuthCredentials, warn: Warn) -> None:
    """Memory and file agree afterwards: what others wrote wins, what we could not write is written."""
    stamp = await asyncio.to_thread(credentials.file.stamp)
    found = await asyncio.to_thread(credentials.file.read)
    if found is None:
        credentials.lost()
        raise NeedsLoginError(name, credentials.problem or "")
    credentials.adopt(found, stamp)
    if credentials.unsaved:
        await _save(name, credentials, warn)


async def _save(name: str, credentials: OAuthCredentials, warn: Warn) -> None:
    """Write the token; one that cannot be written serves from memory, and is tried again later."""
    try:
        await asyncio.to_thread(credentials.file.write, credentials.token)
        credentials.saved(await asyncio.to_thread(credentials.file.stamp))
    except FileError as error:
        warn(f"the new token of account {name!r} is in memory only, and lost when this process ends: {error}")


@contextlib.asynccontextmanager
async def _held(lock: FileLock) -> AsyncIterator[None]:
    """The lock, with signs of life for as long as the work takes."""
    await lock.acquire()
    beat = asyncio.create_task(_beat(lock))
    try:
        yield
    finally:
        beat.cancel()
        # Not in a thread: a cancelled task must give the lock back too, and this is one unlink.
        lock.release()


async def _beat(lock: FileLock) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT)
        lock.touch()
