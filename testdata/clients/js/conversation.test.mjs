// Lets the SDK that Element is made with talk to the server.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Program } from "./program.mjs";
import { connect, hears, history, login, register, until } from "./person.mjs";

const alice_id = "@alice:example.org";
const bob_id = "@bob:example.org";

/** The history has the messages in their order, one of them redacted, and begins with the creation of the room. */
function checkHistory(events, said, redacted) {
    assert.equal(events[0].getType(), "m.room.create");
    const messages = events.filter((event) => event.getType() === "m.room.message");
    assert.deepEqual(messages.map((event) => event.getId()), said);
    for (const event of messages) {
        assert.equal(event.isRedacted(), event.getId() === redacted, event.getId());
        assert.equal(event.getContent().body === undefined, event.getId() === redacted, event.getId());
    }
}

test("a conversation", { timeout: 300_000 }, async (t) => {
    const data = await mkdtemp(join(tmpdir(), "homeserver-"));
    t.after(() => rm(data, { recursive: true }));
    let server = await Program.start(data);

    assert.equal((await register(server.url, "alice")).user_id, alice_id);
    assert.equal((await register(server.url, "bob")).user_id, bob_id);
    let [alice, bob] = await Promise.all([login(server.url, "alice"), login(server.url, "bob")]);

    const { room_id: roomId } = await alice.createRoom({ name: "Tea", topic: "Milk?", preset: "private_chat" });
    await alice.invite(roomId, bob_id);
    await until(bob, "the invitation", () => bob.getRoom(roomId)?.getMyMembership() === "invite");
    assert.equal(bob.getRoom(roomId).name, "Tea");
    await bob.joinRoom(roomId);
    await until(bob, "the room", () => bob.getRoom(roomId)?.getMyMembership() === "join");
    await until(alice, "bob's joining", () => alice.getRoom(roomId)?.getMember(bob_id)?.membership === "join");

    const said = [];
    for (let i = 0; i < 5; i++) {
        const { event_id: question } = await alice.sendTextMessage(roomId, "Tea?");
        const heard = await hears(bob, roomId, question);
        assert.equal(heard.getContent().body, "Tea?");
        assert.equal(heard.getSender(), alice_id);
        const { event_id: reply } = await bob.sendTextMessage(roomId, "Yes, please.");
        await hears(alice, roomId, reply);
        said.push(question, reply);
    }

    await alice.setRoomTopic(roomId, "No milk.");
    const topic = (client) => client.getRoom(roomId).currentState.getStateEvents("m.room.topic", "").getContent().topic;
    // To her too, since her client puts what she says at the end of all that it has been told, at once.
    for (const client of [alice, bob]) await until(client, "the topic", () => topic(client) === "No milk.");
    await assert.rejects(bob.setRoomTopic(roomId, "Coffee!"), { errcode: "M_FORBIDDEN" });
    await alice.redactEvent(roomId, said[2], undefined, { reason: "too much tea" });
    await until(bob, "the redaction", () => bob.getRoom(roomId).findEventById(said[2]).isRedacted());
    checkHistory(await history(alice, roomId), said, said[2]);

    await bob.leave(roomId);
    await until(alice, "bob's leaving", () => alice.getRoom(roomId).getMember(bob_id).membership === "leave");
    const before = (await history(alice, roomId)).map((event) => event.getId());
    await bob.logout(true);
    await assert.rejects(bob.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
    const session = { userId: alice_id, accessToken: alice.getAccessToken(), deviceId: alice.getDeviceId() };
    alice.stopClient();
    await server.stop();

    server = await Program.start(data);
    const old = await connect(server.url, session);
    assert.deepEqual(await old.whoami(), { user_id: alice_id, device_id: session.deviceId, is_guest: false });
    old.stopClient();
    [alice, bob] = await Promise.all([login(server.url, "alice"), login(server.url, "bob")]);
    assert.deepEqual((await alice.getJoinedRooms()).joined_rooms, [roomId]);
    assert.deepEqual((await bob.getJoinedRooms()).joined_rooms, []);
    assert.equal(topic(alice), "No milk.");
    assert.equal(alice.getRoom(roomId).name, "Tea");
    const after = await history(alice, roomId);
    assert.deepEqual(after.map((event) => event.getId()), before);
    checkHistory(after, said, said[2]);
    await assert.rejects(bob.sendTextMessage(roomId, "Hello?"), { errcode: "M_FORBIDDEN" });
    alice.stopClient();
    bob.stopClient();
    await server.stop();
});
