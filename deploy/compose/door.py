"""The door of a city's UI in ../compose.yaml: hands on what comes to port 3000 to the same port of the webserver.

A network without a way out publishes no port. This container alone is in another one too; it has neither data nor
password.
"""

from __future__ import annotations

import asyncio
import sys

PORT = 3000


async def pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the one side ends or is gone; the other one is told by the end of its connection."""
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


async def hand_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One connection of a browser."""
    try:
        there_source, there_target = await asyncio.open_connection(sys.argv[1], PORT)
    except OSError:
        # the webserver is not there yet
        target.close()
        return
    await asyncio.gather(pour(source, there_target), pour(there_source, target))


async def main() -> None:
    """Until the container is stopped."""
    async with await asyncio.start_server(hand_on, "0.0.0.0", PORT) as door:  # noqa: S104  (the container's own)
        await door.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
