"""Python's `websockets`."""
import json
import sys

from websockets.sync.client import connect

ROWS = [{"id": i, "name": f"Größe {i % 7}", "done": i % 2 == 0} for i in range(60)]

with connect(sys.argv[1]) as socket:
    for number in (1, 2, 3):
        text = json.dumps({"round": number, "list": ROWS}, ensure_ascii=False)
        for message in (text, text.encode()):
            socket.send(message)
            assert socket.recv() == message
