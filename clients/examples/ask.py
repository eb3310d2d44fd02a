"""Ask a running server (`espalier serve`) from Python. Usage: python ask.py [URL], e.g. http://localhost:8000"""

import asyncio
import sys

from espalier import AsyncClient, Client

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8001"

with Client(url) as client:
    for task, answer in client.predict("wake me at seven").items():
        print(task, answer.model_dump(exclude_unset=True))


async def ask_while_waiting() -> None:
    async with AsyncClient(url) as client:
        both = await asyncio.gather(client.predict("play some jazz"), client.predict("what a lovely day"))
        print([sorted(answers) for answers in both])
        async for task, _ in client.stream("wake me at seven"):
            print(task, "is done")


asyncio.run(ask_while_waiting())
