"""Messages and what belongs to them, over the timeline and back into history."""

import asyncio
import json

from nio import (
    MessageDirection, PresenceEvent, ReactionEvent, ReceiptType, RedactedEvent, RedactionEvent, RoomMessageText, SyncResponse,
    UnknownToDeviceEvent,
)
from nio.api import RelationshipType
from nio.event_builders import ToDeviceMessage

from people import Test


class Talking(Test):
    async def test_about_a_message(self):
        ann, ben = await self.person("ann"), await self.person("ben")
        room, heard = await self.together(ann, ben), []
        ben.add_event_callback(lambda _, event: heard.append(event), (RoomMessageText, ReactionEvent, RedactionEvent))
        hello = await self.say(ann, room, "hello")
        change = {"m.new_content": {"msgtype": "m.text", "body": "hi"}, "m.relates_to": {"rel_type": "m.replace", "event_id": hello}}
        edit = await self.say(ann, room, "* hi", **change)
        reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": hello, "key": "👍"}}
        thumb = self.ok(await ben.room_send(room, "m.reaction", reaction)).event_id
        answer = await self.say(ben, room, "yes?", **{"m.relates_to": {"rel_type": "m.thread", "event_id": hello}})

        async def related(*what):
            return [event.event_id async for event in ben.room_get_event_relations(room, hello, *what)]

        self.assertEqual(await related(), [answer, thumb, edit])
        self.assertEqual(await related(RelationshipType.replacement), [edit])
        self.assertEqual(await related(RelationshipType.annotation, "m.reaction"), [thumb])
        self.assertEqual([event.event_id async for event in ben.room_get_threads(room)], [hello])
        self.ok(await ann.room_redact(room, hello, "oops"))
        self.assertIsInstance(self.ok(await ben.room_get_event(room, hello)).event, RedactedEvent)
        await self.until(ben, lambda: heard and isinstance(heard[-1], RedactionEvent))
        self.assertEqual([event.event_id for event in heard[:-1]], [edit, thumb, answer])  # hello was gone when he looked
        self.assertEqual(heard[-1].redacts, hello)

    async def test_history(self):
        cat = await self.person("cat")
        room = await self.together(cat)
        said = [await self.say(cat, room, str(i)) for i in range(40)]
        timeline = self.ok(await cat.sync()).rooms.join[room].timeline
        back, start = [event.event_id for event in reversed(timeline.events)], timeline.prev_batch
        while start:
            page = self.ok(await cat.room_messages(room, start, limit=7))
            back, start = back + [event.event_id for event in page.chunk], page.end
        self.assertEqual(back[:40], said[::-1])
        self.assertEqual(len(back), len(set(back)))
        forth = self.ok(await cat.room_messages(room, direction=MessageDirection.front, limit=100)).chunk
        self.assertEqual([event.event_id for event in forth], back[::-1])
        around = self.ok(await cat.room_context(room, said[20], limit=10))
        self.assertEqual([event.event_id for event in around.events_before], said[19:14:-1])
        self.assertEqual([event.event_id for event in around.events_after], said[21:26])
        before, after = await cat.room_messages(room, around.start, limit=2), await cat.room_messages(room, around.end, "", MessageDirection.front, 2)
        self.assertEqual([event.event_id for event in before.chunk + after.chunk], [said[14], said[13], said[26], said[27]])

    async def test_who_is_there(self):
        dan, eve = await self.person("dan"), await self.person("eve")
        room, seen, direct = await self.together(dan, eve), [], []
        eve.add_presence_callback(seen.append, PresenceEvent)
        eve.add_to_device_callback(direct.append, UnknownToDeviceEvent)
        self.ok(await dan.room_typing(room))
        await self.until(eve, lambda: eve.rooms[room].typing_users == [dan.user_id])
        self.ok(await dan.room_typing(room, False))
        await self.until(eve, lambda: eve.rooms[room].typing_users == [])
        message = await self.say(eve, room, "read me")
        self.ok(await dan.update_receipt_marker(room, message, ReceiptType.read))
        self.ok(await dan.room_read_markers(room, message, message))
        await self.until(eve, lambda: dan.user_id in eve.rooms[room].read_receipts)
        await self.until(dan, lambda: dan.rooms[room].fully_read_marker == message)
        self.ok(await dan.set_presence("unavailable", "tea"))
        await self.until(eve, lambda: any((event.presence, event.status_msg) == ("unavailable", "tea") for event in seen))
        self.ok(await dan.to_device(ToDeviceMessage("org.example.hi", eve.user_id, eve.device_id, {"x": 1})))
        await self.until(eve, lambda: direct)

        self.refused(await dan.list_direct_rooms(), "M_NOT_FOUND")
        path = f"/_matrix/client/v3/user/{dan.user_id}/account_data/m.direct?access_token={dan.access_token}"
        (await dan.send("PUT", path, json.dumps({eve.user_id: [room]}))).raise_for_status()
        self.assertEqual(self.ok(await dan.list_direct_rooms()).rooms, {eve.user_id: [room]})

    async def test_bot(self):
        """A bot answers everything that is said, wherever it is invited, for as long as it runs."""
        fay, bot = await self.person("fay"), await self.person("bot")
        told = self.ok(await bot.upload_filter(room={"timeline": {"types": ["m.room.message"], "limit": 50}, "state": {"lazy_load_members": True}}))
        answered = []

        async def answer(room, event):
            if event.sender != bot.user_id:
                answered.append(event.body)
                self.ok(await bot.room_send(room.room_id, "m.room.message", {"msgtype": "m.notice", "body": "you said " + event.body}))

        async def accept(response):
            for room in response.rooms.invite:
                self.ok(await bot.join(room))

        bot.add_event_callback(answer, RoomMessageText)
        bot.add_response_callback(accept, SyncResponse)
        running = asyncio.create_task(bot.sync_forever(timeout=10_000, sync_filter=told.filter_id, full_state=True))
        await asyncio.wait_for(bot.synced.wait(), 120)
        rooms = [self.ok(await fay.room_create(invite=[bot.user_id])).room_id for _ in range(3)]
        for room in rooms:
            await self.until(fay, lambda: room in fay.rooms and fay.rooms[room].joined_count == 2)
        said = [f"{room} {i}" for i in range(5) for room in rooms]
        for body in said:
            await self.say(fay, body.split()[0], body)
        while len(answered) < len(said):
            await asyncio.wait_for(bot.synced.wait(), 120)
        bot.stop_sync_forever()
        await self.say(fay, rooms[0], "last")
        await asyncio.wait_for(running, 120)
        self.assertEqual(sorted(answered[:len(said)]), sorted(said))
