"""A client in Python for the room of centrifuge_chat.ts.

pip install centrifuge-python
python centrifuge_chat.py [name] [url]

Says each line that it reads, and shows what others say. It comes back by itself.
"""

import asyncio
import sys

from centrifuge import Client, PublicationContext

NAME = sys.argv[1] if len(sys.argv) > 1 else "Python"
URL = sys.argv[2] if len(sys.argv) > 2 else "ws://localhost:8082/connection/websocket"


async def main() -> None:
    client = Client(URL, data=NAME)
    room = client.new_subscription("room")

    async def on_publication(ctx: PublicationContext) -> None:
        name = ctx.pub.info.user if ctx.pub.info else "the server"
        print(f"{name}: {ctx.pub.data}", flush=True)

    room.events.on_publication = on_publication
    await client.connect()
    await room.subscribe()
    await room.ready()
    print("connected", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await room.publish(data=line.rstrip("\n"))
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
