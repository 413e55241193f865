"""A server in the service's place that does what a test says: busy, slow, broken, or not the service at all."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

PREDICTION = {"emotion": "happy", "probabilities": {"happy": 0.9, "sad": 0.1}, "faces": [], "model": "m:1", "new": 1}


class Standin:
    """Answers each request with the next of `answers` (a callable that gives a response), and the last for ever."""

    def __init__(self):
        self.answers, self.requests = [], []
        self.talks, self.connections = [], 0

    async def answer(self, request):
        self.requests.append((request.method, request.path, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def talk(self, request):
        """A WebSocket: handed to the next of `talks`, and the last for ever."""
        self.connections += 1
        self.query = dict(request.query)
        talk = self.talks.pop(0) if len(self.talks) > 1 else self.talks[0]
        if not callable(talk):  # an answer to the handshake
            return web.Response(status=talk.status, headers=talk.headers)
        opened = web.WebSocketResponse(max_msg_size=0)
        await opened.prepare(request)
        await talk(opened)
        return opened

    @asynccontextmanager
    async def running(self):
        app = web.Application(client_max_size=2**30)
        app.router.add_get("/stream", self.talk)
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await web.SockSite(runner, listener).start()
        try:
            yield self
        finally:
            await runner.cleanup()


def says(value, status=200, **headers):
    """An answer in JSON."""

    async def answer(_):
        return web.json_response(value, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def refuses(status, code, message, **headers):
    return says({"error": {"code": code, "message": message}}, status, **headers)


def raw(body, status=200):
    async def answer(_):
        return web.Response(body=body, status=status, content_type="text/html")

    return answer


async def hangs(_):
    await asyncio.sleep(60)


async def breaks(request):
    """Close the connection in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    request.transport.abort()
    return response


def answers(count=None, close=None, **fields):
    """A talk that answers `count` frames (None: all), then closes with the code `close`."""

    async def talk(opened):
        number = 0
        async for message in opened:
            if message.type is WSMsgType.BINARY:
                number += 1
                if count is not None and number > count:
                    break
                await opened.send_str(json.dumps({**PREDICTION, "frame": number, "dropped": 0, **fields}))
        if close:
            await opened.close(code=close)
        elif count is not None:
            opened._req.transport.abort()

    return talk
