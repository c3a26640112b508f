"""Rooms: who is in them, and what they are."""

from nio import RoomPreset, RoomVisibility

from people import Test


class Rooms(Test):
    async def test_membership(self):
        ann, ben = await self.person("ann"), await self.person("ben")
        room = self.ok(await ann.room_create(preset=RoomPreset.private_chat, name="Garden")).room_id
        self.refused(await ben.join(room), "M_FORBIDDEN")
        self.ok(await ann.room_invite(room, ben.user_id))
        self.ok(await ben.sync())
        self.assertEqual((ben.invited_rooms[room].display_name, ben.invited_rooms[room].inviter), ("Garden", ann.user_id))
        self.ok(await ben.join(room))
        self.ok(await ben.sync())
        self.assertEqual((list(ben.invited_rooms), ben.rooms[room].display_name), ([], "Garden"))

        self.ok(await ann.room_kick(room, ben.user_id, "out"))
        self.assertIn(room, self.ok(await ben.sync()).rooms.leave)
        self.ok(await ann.room_ban(room, ben.user_id))
        self.refused(await ann.room_invite(room, ben.user_id), "M_FORBIDDEN")
        self.ok(await ann.room_unban(room, ben.user_id))
        self.ok(await ann.room_enable_knocking(room))
        self.ok(await ben.room_knock(room, "please"))
        self.ok(await ann.room_invite(room, ben.user_id))
        self.ok(await ben.join(room))
        self.ok(await ben.room_leave(room))
        self.ok(await ben.room_forget(room))
        self.assertEqual([member.user_id for member in self.ok(await ann.joined_members(room)).members], [ann.user_id])

    async def test_kinds(self):
        cat, dan = await self.person("cat"), await self.person("dan")
        for version in range(1, 13):
            for preset in RoomPreset:
                room = await self.together(cat, dan, preset=preset, room_version=str(version), name="Room")
                self.assertEqual(dan.rooms[room].room_version, str(version))
                self.assertEqual(set(dan.rooms[room].users), {cat.user_id, dan.user_id})
        levels = self.ok(await cat.room_get_state_event(room, "m.room.power_levels")).content
        levels["users"][dan.user_id] = 50
        self.ok(await cat.room_put_state(room, "m.room.power_levels", levels))
        await self.until(dan, lambda: dan.rooms[room].power_levels.users.get(dan.user_id) == 50)
        self.ok(await dan.update_room_topic(room, "what dan wants"))
        await self.until(cat, lambda: cat.rooms[room].topic == "what dan wants")

    async def test_directory_spaces_upgrade(self):
        eve, fay = await self.person("eve"), await self.person("fay")
        room = self.ok(await eve.room_create(RoomVisibility.public, "shed", "Shed", preset=RoomPreset.public_chat, room_version="10")).room_id
        self.assertEqual(self.ok(await fay.room_resolve_alias("#shed:example.org")).room_id, room)
        self.ok(await fay.join("#shed:example.org"))
        self.ok(await eve.room_put_alias("#hut:example.org", room))
        self.ok(await eve.room_update_aliases(room, "#shed:example.org", ["#hut:example.org"]))
        self.ok(await eve.room_delete_alias("#hut:example.org"))
        found = self.ok(await fay.list_public_rooms(filter_generic_search_term="she")).public_rooms
        self.assertEqual([(r.room_id, r.canonical_alias, r.num_joined_members) for r in found], [(room, "#shed:example.org", 2)])

        space = self.ok(await eve.room_create(space=True, name="Estate")).room_id
        self.ok(await eve.room_put_state(space, "m.space.child", {"via": ["example.org"]}, room))
        self.ok(await eve.sync())
        self.assertEqual((eve.rooms[space].room_type, eve.rooms[space].children), ("m.space", {room}))
        first = self.ok(await eve.space_get_hierarchy(space, limit=1))
        rest = self.ok(await eve.space_get_hierarchy(space, from_page=first.next_batch, limit=1))
        self.assertEqual([r["room_id"] for r in first.rooms + rest.rooms], [space, room])

        # Not to 12: the SDK copies the power levels, in which creators must not be from there on.
        new = self.ok(await eve.room_upgrade(room, "11")).room_id
        self.assertEqual(self.ok(await fay.room_get_state_event(room, "m.room.tombstone")).content["replacement_room"], new)
