"""End-to-end encryption: the SDK's own, on top of vodozemac."""

import os
import tempfile

from nio import EnableEncryptionBuilder, MegolmEvent, RoomMessageText

from people import Test


class Encryption(Test):
    async def device(self, name, known=None):
        """Returns a device, of somebody new or another one of somebody known, and what it hears of others."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        if known:
            client = self.client(name, directory.name)
            self.ok(await client.login("password of " + name))
        else:
            client = await self.person(name, directory.name)
        await self.tend(client)
        return client, self.hear(client), directory.name

    def hear(self, client):
        heard = []
        client.add_event_callback(lambda _, event: event.sender == client.user_id or heard.append(event.body), RoomMessageText)
        return heard

    async def tend(self, *clients):
        """Syncs, and does what the SDK says is to be done about keys."""
        for client in clients:
            self.ok(await client.sync())
            if client.should_upload_keys:
                self.ok(await client.keys_upload())
            if client.should_query_keys:
                self.ok(await client.keys_query())
            if client.should_claim_keys:
                self.ok(await client.keys_claim(client.get_users_for_key_claiming()))
            await client.send_to_device_messages()

    async def test_conversation(self):
        ann, ann_heard, _ = await self.device("ann")
        ben, ben_heard, ben_keys = await self.device("ben")
        room = await self.together(ann, ben, initial_state=[EnableEncryptionBuilder().as_dict()])
        await self.tend(ann, ben)
        for i in range(3):
            await self.say(ann, room, f"question {i}")
            await self.tend(ben)
            await self.say(ben, room, f"answer {i}")
            await self.tend(ann)
        self.assertEqual((ben_heard, ann_heard), ([f"question {i}" for i in range(3)], [f"answer {i}" for i in range(3)]))

        # Another device gets what is said from then on; of the rest, what the first one exports.
        tablet, tablet_heard, _ = await self.device("ben", ben)
        await self.tend(ann)
        await self.say(ann, room, "to both")
        await self.tend(ben, tablet)
        self.assertEqual((ben_heard[-1], tablet_heard), ("to both", ["to both"]))
        sealed = [event for event in self.ok(await tablet.room_messages(room, limit=30)).chunk if isinstance(event, MegolmEvent)]
        await ben.export_keys(os.path.join(ben_keys, "keys.txt"), "phrase", 1000)
        await tablet.import_keys(os.path.join(ben_keys, "keys.txt"), "phrase")
        opened = [tablet.decrypt_event(event).body for event in sealed]
        self.assertEqual(opened, ["answer 2", "question 2", "answer 1", "question 1", "answer 0", "question 0"])

        # The first device starts again from what it has stored.
        await ben.close()
        again = self.client("ben", ben_keys)
        again.restore_login(ben.user_id, ben.device_id, ben.access_token)
        heard = self.hear(again)
        await self.say(ann, room, "are you there?")
        await self.tend(again)
        self.assertEqual(heard, ["are you there?"])

        # A device that is signed out gets no more keys.
        self.ok(await tablet.logout())
        await self.tend(ann)
        self.assertEqual([device.device_id for device in ann.device_store.active_user_devices(ben.user_id)], [ben.device_id])
        await self.say(ann, room, "just you now")
        await self.tend(again)
        self.assertEqual(heard[1:], ["just you now"])

    async def test_emoji(self):
        cat, _, _ = await self.device("cat")
        dan, _, _ = await self.device("dan")
        await self.together(cat, dan, initial_state=[EnableEncryptionBuilder().as_dict()])
        await self.tend(cat, dan)
        self.ok(await cat.start_key_verification(cat.device_store[dan.user_id][dan.device_id]))
        await self.tend(dan)
        (transaction,) = dan.key_verifications
        self.ok(await dan.accept_key_verification(transaction))
        await self.tend(cat, dan, cat, dan)
        self.assertEqual(cat.key_verifications[transaction].get_emoji(), dan.key_verifications[transaction].get_emoji())
        self.ok(await cat.confirm_short_auth_string(transaction))
        await self.tend(dan)
        self.ok(await dan.confirm_short_auth_string(transaction))
        await self.tend(cat, dan)
        self.assertTrue(cat.device_store[dan.user_id][dan.device_id].verified)
        self.assertTrue(dan.device_store[cat.user_id][cat.device_id].verified)
