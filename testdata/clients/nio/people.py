"""People and bots, and what all tests do with them."""

import asyncio
import logging
import unittest

from nio import AsyncClient, AsyncClientConfig, ErrorResponse, RoomPreset

from program import Program


class Test(unittest.IsolatedAsyncioTestCase):
    """A test on a server that all tests of the class share."""

    longMessage = True
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        logging.getLogger("nio").setLevel(logging.CRITICAL)  # it logs every refusal
        cls.server = Program()
        cls.addClassCleanup(cls.server.stop)

    def client(self, name, directory=None):
        """Returns a client that is not signed in, which encrypts if it has a directory for its keys."""
        config = AsyncClientConfig(store_sync_tokens=bool(directory), encryption_enabled=bool(directory), max_timeouts=1, request_timeout=120)
        client = AsyncClient(self.server.url, name, store_path=directory or "", config=config)
        self.addAsyncCleanup(client.close)
        return client

    async def person(self, name, directory=None):
        """Returns somebody new."""
        client = self.client(name, directory)
        self.ok(await client.register(name, "password of " + name, device_name="phone"))
        return client

    def ok(self, response):
        """Returns a response that is no refusal, nor anything that the SDK cannot read."""
        if isinstance(response, tuple):
            response = response[0]  # of an upload
        self.assertNotIsInstance(response, ErrorResponse, str(response))
        return response

    def refused(self, response, code):
        self.assertIsInstance(response, ErrorResponse)
        self.assertEqual(response.status_code, code)

    async def until(self, client, condition):
        """Syncs until something is so."""
        async with asyncio.timeout(120):
            while not condition():
                self.ok(await client.sync(timeout=2000))

    async def together(self, founder, *others, **options):
        """Returns a room that all are in, and know of."""
        options.setdefault("preset", RoomPreset.private_chat)
        room = self.ok(await founder.room_create(invite=[other.user_id for other in others], **options)).room_id
        for other in others:
            self.ok(await other.join(room))
        for client in (founder, *others):
            self.ok(await client.sync())
        return room

    async def say(self, client, room, body, **more):
        """Returns the ID of a message that is sent."""
        content = {"msgtype": "m.text", "body": body, **more}
        return self.ok(await client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)).event_id
