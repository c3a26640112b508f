// Lets the SDK that Element is made with do what is done with rooms, beside talking in them.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { TimelineWindow } from "matrix-js-sdk";
import { RoomHierarchy } from "matrix-js-sdk/lib/room-hierarchy.js";

import { Program } from "./program.mjs";
import { arrive, hears, register, until } from "./person.mjs";

const names = ["alice", "bob", "carol", "dave"];
const [alice_id, bob_id, carol_id, dave_id] = names.map((name) => `@${name}:example.org`);

let server, data, alice, bob, carol, dave;

before(async () => {
    data = await mkdtemp(join(tmpdir(), "homeserver-"));
    server = await Program.start(data);
    await Promise.all(names.map((name) => register(server.url, name)));
    [alice, bob, carol, dave] = await Promise.all(names.map((name) => arrive(server.url, name)));
});

after(async () => {
    for (const client of [alice, bob, carol, dave]) client.stopClient();
    await server.stop();
    await rm(data, { recursive: true });
});

/** The content of a state event, as a client knows it. */
const stateOf = (client, roomId, type, key = "") => client.getRoom(roomId)?.currentState.getStateEvents(type, key)?.getContent();

/** Waits until a client knows its own membership in a room. */
const is = (client, membership, roomId) =>
    until(client, `membership ${membership}`, () => client.getRoom(roomId)?.getMyMembership() === membership);

/** Waits until a client knows somebody's membership in a room. */
const sees = (client, user, membership, roomId) =>
    until(client, `membership ${membership} of ${user}`, () => client.getRoom(roomId)?.getMember(user)?.membership === membership);

async function joins(client, roomIdOrAlias, options) {
    const { roomId } = await client.joinRoom(roomIdOrAlias, options);
    await is(client, "join", roomId);
    return roomId;
}

/** Why somebody is banned from a room. */
const grudge = async (client, roomId) => {
    await client.getRoom(roomId).loadMembersIfNeeded();
    const { membership, reason } = stateOf(client, roomId, "m.room.member", dave_id);
    assert.equal(membership, "ban");
    return reason;
};

test("an upgraded room", { timeout: 300_000 }, async () => {
    const { room_id: old } = await alice.createRoom({
        room_version: "10", name: "Tea", topic: "Milk?", preset: "public_chat", visibility: "public", room_alias_name: "tea",
        power_level_content_override: { users: { [alice_id]: 100, [bob_id]: 50 } },
    });
    for (const client of [bob, carol]) assert.equal(await joins(client, "#tea:example.org"), old);
    await alice.ban(old, dave_id, "prefers coffee");
    await bob.setRoomTag(old, "m.favourite", { order: 0.5 });
    await bob.setRoomMutePushRule("global", old, true);
    await bob.setAccountData("m.direct", { [alice_id]: [old] });
    await alice.sendTextMessage(old, "Shall we move to the garden?");

    const { replacement_room: next } = await alice.upgradeRoom(old, "11");
    for (const client of [bob, carol]) {
        await until(client, "the tombstone", () => stateOf(client, old, "m.room.tombstone")?.replacement_room === next);
        await joins(client, next, { viaServers: ["example.org"] });
    }
    const tombstone = bob.getRoom(old).currentState.getStateEvents("m.room.tombstone", "").getId();
    assert.equal(bob.getRoom(next).getVersion(), "11");
    assert.deepEqual(bob.getRoom(next).findPredecessor(), { roomId: old, eventId: tombstone });
    for (const client of [alice, bob, carol]) {
        await until(client, "both rooms", () => client.getRoom(next) && stateOf(client, old, "m.room.tombstone"));
        assert.deepEqual(client.getRoomUpgradeHistory(old, true).map((room) => room.roomId), [old, next]);
        assert.deepEqual(client.getVisibleRooms().map((room) => room.roomId), [next]);
    }

    // The room is as it was.
    for (const type of ["m.room.name", "m.room.topic", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access"]) {
        assert.deepEqual(stateOf(bob, next, type), stateOf(bob, old, type), type);
    }
    assert.deepEqual(stateOf(bob, next, "m.room.power_levels").users, { [alice_id]: 100, [bob_id]: 50 });
    assert.equal(await grudge(bob, next), "prefers coffee");
    await assert.rejects(dave.joinRoom(next), { errcode: "M_FORBIDDEN" });
    const { event_id: said } = await carol.sendTextMessage(next, "It is nice here.");
    await hears(bob, next, said);
    await assert.rejects(carol.sendTextMessage(old, "Is anybody there?"), { errcode: "M_FORBIDDEN" });

    // Its names have moved.
    assert.equal((await dave.getRoomIdForAlias("#tea:example.org")).room_id, next);
    assert.deepEqual(await bob.getLocalAliases(next), { aliases: ["#tea:example.org"] });
    await until(bob, "the alias", () => bob.getRoom(next).getCanonicalAlias() === "#tea:example.org");
    assert.equal(bob.getRoom(old).getCanonicalAlias(), null);
    assert.equal((await alice.getRoomDirectoryVisibility(next)).visibility, "public");
    assert.equal((await alice.getRoomDirectoryVisibility(old)).visibility, "private");

    // So have the settings of its members.
    await until(bob, "the tag", () => bob.getRoom(next).tags["m.favourite"]);
    assert.deepEqual(bob.getRoom(next).tags, { "m.favourite": { order: 0.5 } });
    assert.deepEqual(carol.getRoom(next).tags, {});
    await until(bob, "the push rule", () => bob.getRoomPushRule("global", next));
    assert.deepEqual(bob.getRoomPushRule("global", next).actions, bob.getRoomPushRule("global", old).actions);
    assert.equal(carol.getRoomPushRule("global", next), undefined);
    await until(bob, "the direct chat", () => bob.getAccountData("m.direct").getContent()[alice_id].includes(next));

    // Rooms can be upgraded again, and what was said in all of them is found.
    const { replacement_room: last } = await alice.upgradeRoom(next, "12");
    await until(bob, "the second tombstone", () => stateOf(bob, next, "m.room.tombstone")?.replacement_room === last);
    await joins(bob, last);
    assert.equal(bob.getRoom(last).findPredecessor().roomId, next);
    assert.deepEqual(bob.getRoomUpgradeHistory(next, true).map((room) => room.roomId), [old, next, last]);
    await alice.sendTextMessage(last, "The kitchen is nice, too.");
    const found = await bob.searchRoomEvents({ term: "nice", filter: { rooms: [old, next, last] } });
    assert.deepEqual(found.results.map(({ context }) => context.getEvent().getRoomId()), [last, next]);
});

test("a space", { timeout: 300_000 }, async () => {
    const via = ["example.org"];
    const { room_id: house } = await alice.createRoom({ name: "House", preset: "private_chat", creation_content: { type: "m.space" } });
    const room = async (name, parent, child, rules) => {
        const { room_id: id } = await alice.createRoom({
            name, ...(child.space && { creation_content: { type: "m.space" } }),
            initial_state: [
                { type: "m.room.join_rules", state_key: "", content: rules },
                { type: "m.space.parent", state_key: parent, content: { via, canonical: true } },
            ],
        });
        await alice.sendStateEvent(parent, "m.space.child", { via, order: child.order, suggested: child.suggested }, id);
        return id;
    };
    const members = { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: house }] };
    const garden = await room("Garden", house, { order: "c", suggested: false }, { join_rule: "public" });
    const upstairs = await room("Upstairs", house, { order: "b", suggested: false, space: true }, members);
    const kitchen = await room("Kitchen", house, { order: "a", suggested: true }, members);
    const attic = await room("Attic", upstairs, { order: "a", suggested: true }, members);
    await room("Cellar", house, { order: "d", suggested: true }, { join_rule: "invite" });

    await assert.rejects(bob.joinRoom(kitchen), { errcode: "M_FORBIDDEN" });
    await alice.invite(house, bob_id);
    await is(bob, "invite", house);
    assert.equal(bob.getRoom(house).getType(), "m.space");
    await joins(bob, house);
    assert.equal(bob.getRoom(house).isSpaceRoom(), true);

    const explore = async (depth, suggested) => {
        const hierarchy = new RoomHierarchy(bob.getRoom(house), 2, depth, suggested);
        while (hierarchy.canLoadMore) assert.ok((await hierarchy.load()).length <= 2);
        return [hierarchy, hierarchy.rooms.map((room) => room.room_id)];
    };
    const [all, ids] = await explore();
    assert.deepEqual(ids, [house, kitchen, upstairs, attic, garden]); // what is invisible to him is left out
    assert.equal(all.isSuggested(house, kitchen), true);
    assert.equal(all.isSuggested(house, garden), false);
    assert.deepEqual(all.backRefs.get(attic), [upstairs]);
    assert.deepEqual([...all.viaMap.get(garden)], via);
    assert.equal(all.roomMap.get(upstairs).room_type, "m.space");
    assert.equal(all.roomMap.get(kitchen).join_rule, "restricted");
    assert.equal(all.roomMap.get(house).num_joined_members, 2);
    assert.deepEqual((await explore(1))[1], [house, kitchen, upstairs, garden]);
    assert.deepEqual((await explore(undefined, true))[1], [house, kitchen]);

    // Who is in the space may join the rooms that say so.
    await joins(bob, kitchen, { viaServers: via });
    assert.equal(stateOf(bob, kitchen, "m.room.member", bob_id).join_authorised_via_users_server, alice_id);
    assert.equal(bob.getRoom(kitchen).getJoinRule(), "restricted");
    assert.deepEqual(stateOf(bob, kitchen, "m.space.parent", house), { via, canonical: true });
    await assert.rejects(carol.joinRoom(kitchen), { errcode: "M_FORBIDDEN" });
    await assert.rejects(carol.getRoomHierarchy(house), { errcode: "M_FORBIDDEN" });
    await joins(carol, garden);

    // Rooms leave a space by a child without servers.
    await alice.sendStateEvent(house, "m.space.child", {}, garden);
    await until(bob, "the garden's removal", () => stateOf(bob, house, "m.space.child", garden)?.via === undefined);
    assert.deepEqual((await explore())[1], [house, kitchen, upstairs, attic]);
});

test("ways in and out", { timeout: 300_000 }, async () => {
    const { room_id: club } = await alice.createRoom({
        name: "Club", topic: "Whoever knocks", initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
    });
    await assert.rejects(carol.joinRoom(club), { errcode: "M_FORBIDDEN" });
    assert.deepEqual(await carol.knockRoom(club, { reason: "I bring cake.", viaServers: ["example.org"] }), { room_id: club });
    await is(carol, "knock", club);
    assert.equal(carol.getRoom(club).name, "Club");
    await sees(alice, carol_id, "knock", club);
    assert.equal(stateOf(alice, club, "m.room.member", carol_id).reason, "I bring cake.");
    await alice.invite(club, carol_id);
    await is(carol, "invite", club);
    assert.equal(carol.getRoom(club).getMember(carol_id).events.member.getSender(), alice_id);
    await joins(carol, club);

    // Invitations and knocks can be withdrawn and refused.
    await bob.knockRoom(club);
    await is(bob, "knock", club);
    await alice.kick(club, bob_id, "No cake?");
    await is(bob, "leave", club);
    await bob.knockRoom(club);
    await is(bob, "knock", club);
    await bob.leave(club);
    await sees(alice, bob_id, "leave", club);
    await alice.invite(club, dave_id);
    await is(dave, "invite", club);
    assert.equal(dave.getRoom(club).getMyMembership(), "invite");
    await dave.leave(club);
    await sees(alice, dave_id, "leave", club);
    await is(dave, "leave", club);
    await assert.rejects(dave.sendTextMessage(club, "Hello?"), { errcode: "M_FORBIDDEN" });

    // Whom others have thrown out stays out, until they are forgiven.
    await alice.kick(club, carol_id, "The cake is a lie.");
    await is(carol, "leave", club);
    assert.equal(stateOf(carol, club, "m.room.member", carol_id).reason, "The cake is a lie.");
    await alice.ban(club, carol_id);
    await sees(alice, carol_id, "ban", club);
    await assert.rejects(carol.knockRoom(club), { errcode: "M_FORBIDDEN" });
    await alice.unban(club, carol_id);
    await carol.knockRoom(club);
    await is(carol, "knock", club);
    await alice.invite(club, carol_id);
    await joins(carol, club);

    // Rooms can be left for good.
    await carol.leave(club);
    await is(carol, "leave", club);
    await carol.forget(club);
    assert.equal(carol.getRoom(club), null);
    await assert.rejects(carol.roomState(club), { errcode: "M_FORBIDDEN" });
});

test("directories", { timeout: 300_000 }, async () => {
    const rooms = [];
    for (const [i, name] of ["Chess", "Go", "Chess for two"].entries()) {
        const { room_id: id } = await alice.createRoom({
            name, topic: `Game ${i}`, preset: "public_chat", room_alias_name: `game${i}`, invite: i === 1 ? [bob_id] : [],
        });
        await assert.doesNotReject(alice.setRoomDirectoryVisibility(id, "public"));
        rooms.push(id);
    }
    await joins(bob, rooms[1]);
    const chess = { filter: { generic_search_term: "chess" } };
    const one = await dave.publicRooms({ limit: 1, ...chess });
    const other = await dave.publicRooms({ limit: 1, since: one.next_batch, ...chess });
    assert.deepEqual([...one.chunk, ...other.chunk].map((room) => room.name).sort(), ["Chess", "Chess for two"]);
    const [go] = (await dave.publicRooms({ filter: { generic_search_term: "Go" } })).chunk.filter((room) => room.name === "Go");
    assert.deepEqual(
        [go.room_id, go.canonical_alias, go.topic, go.num_joined_members, go.world_readable, go.join_rule],
        [rooms[1], "#game1:example.org", "Game 1", 2, false, "public"],
    );
    await alice.setRoomDirectoryVisibility(rooms[1], "private");
    const left = (await dave.publicRooms()).chunk.map((room) => room.room_id);
    assert.deepEqual(rooms.map((id) => left.includes(id)), [true, false, true]);

    // Aliases lead to rooms until they are deleted.
    await alice.createAlias("#baduk:example.org", rooms[1]);
    assert.equal(await joins(dave, "#baduk:example.org"), rooms[1]);
    await alice.deleteAlias("#baduk:example.org");
    await assert.rejects(dave.getRoomIdForAlias("#baduk:example.org"), { errcode: "M_NOT_FOUND" });

    // People are found by their names, of which the rooms learn as well.
    await bob.setDisplayName("Robert Baker");
    await until(alice, "bob's new name", () => alice.getRoom(rooms[1])?.getMember(bob_id)?.rawDisplayName === "Robert Baker");
    const { results } = await alice.searchUserDirectory({ term: "robert", limit: 3 });
    assert.deepEqual(results.map((user) => [user.user_id, user.display_name]), [[bob_id, "Robert Baker"]]);
    assert.equal((await dave.getProfileInfo(bob_id)).displayname, "Robert Baker");
});

test("search and relations", { timeout: 300_000 }, async () => {
    const { room_id: roomId } = await alice.createRoom({ preset: "public_chat" });
    await joins(bob, roomId);
    const said = [];
    for (let i = 0; i < 25; i++) said.push((await alice.sendTextMessage(roomId, `Biscuit number ${i}`)).event_id);
    await hears(bob, roomId, said.at(-1));
    const found = await bob.searchRoomEvents({ term: "biscuit", filter: { rooms: [roomId], limit: 10 } });
    assert.equal(found.results.length, 10);
    while (found.next_batch) await bob.backPaginateRoomEventsSearch(found);
    assert.equal(found.count, 25);
    assert.deepEqual(found.results.map(({ context }) => context.getEvent().getId()), [...said].reverse());
    assert.deepEqual(found.results[3].context.getTimeline().map((event) => event.getId()), said.slice(20, 23));
    assert.deepEqual(found.highlights, ["biscuit"]);

    const edit = (body) => ({
        msgtype: "m.text", body: `* ${body}`, "m.new_content": { msgtype: "m.text", body },
        "m.relates_to": { rel_type: "m.replace", event_id: said[0] },
    });
    const edits = [];
    for (const body of ["Cake", "Pie"]) edits.push((await alice.sendMessage(roomId, edit(body))).event_id);
    const reactions = [];
    for (const [client, key] of [[alice, "🍪"], [bob, "🍪"], [bob, "🍰"]]) {
        reactions.push((await client.sendEvent(roomId, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: said[0], key } })).event_id);
    }
    await assert.rejects(
        bob.sendEvent(roomId, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: said[0], key: "🍰" } }),
        { errcode: "M_DUPLICATE_ANNOTATION" },
    );
    const ids = ({ events }) => events.map((event) => event.getId());
    const versions = await bob.relations(roomId, said[0], "m.replace", "m.room.message");
    assert.deepEqual(ids(versions), [...edits].reverse());
    assert.equal(versions.originalEvent.getContent().body, "Pie");
    const first = await bob.relations(roomId, said[0], "m.annotation", "m.reaction", { dir: "b", limit: 2 });
    const second = await bob.relations(roomId, said[0], "m.annotation", "m.reaction", { dir: "b", limit: 2, from: first.nextBatch });
    assert.deepEqual([...ids(first), ...ids(second)], [...reactions].reverse());

    // Who has not been there sees the same.
    const late = await arrive(server.url, "dave", { initialSyncLimit: 1 });
    await joins(late, roomId);
    const window = new TimelineWindow(late, late.getRoom(roomId).getUnfilteredTimelineSet());
    await window.load(said[0], 7);
    const event = late.getRoom(roomId).findEventById(said[0]);
    assert.equal(event.getContent().body, "Pie");
    assert.equal(event.replacingEventId(), edits[1]);
    while (window.canPaginate("f")) await window.paginate("f", 7);
    const listed = window.getEvents().map((event) => event.getId());
    assert.deepEqual(listed.filter((id) => said.includes(id)), said);
    const counts = late.getRoom(roomId).relations.getChildEventsForEvent(said[0], "m.annotation", "m.reaction").getSortedAnnotationsByKey();
    assert.deepEqual(counts.map(([key, events]) => [key, events.size]), [["🍪", 2], ["🍰", 1]]);
    late.stopClient();
});

test("what is not said", { timeout: 300_000 }, async () => {
    const { room_id: roomId } = await alice.createRoom({ preset: "public_chat" });
    await joins(bob, roomId);
    await sees(alice, bob_id, "join", roomId);
    const phone = await arrive(server.url, "bob", { disablePresence: false });

    await bob.sendTyping(roomId, true, 20_000);
    await until(alice, "bob's typing", () => alice.getRoom(roomId).getMember(bob_id).typing);
    await bob.sendTyping(roomId, false);
    await until(alice, "bob's hesitating", () => !alice.getRoom(roomId).getMember(bob_id).typing);

    const said = [];
    for (const text of ["One", "Two", "Three"]) said.push(await hears(bob, roomId, (await alice.sendTextMessage(roomId, text)).event_id));
    await until(bob, "the count", () => bob.getRoom(roomId).getUnreadNotificationCount("total") === 3);
    await bob.setRoomReadMarkers(roomId, said[2].getId(), said[1]);
    await until(phone, "the marker", () => phone.getRoom(roomId).getAccountData("m.fully_read")?.getContent().event_id === said[2].getId());
    await until(alice, "the receipt", () => alice.getRoom(roomId).getEventReadUpTo(bob_id) === said[1].getId());
    for (const client of [bob, phone]) {
        await until(client, "the count", () => client.getRoom(roomId).getUnreadNotificationCount("total") === 1);
    }
    await bob.sendReadReceipt(said[2], "m.read.private");
    for (const client of [bob, phone]) {
        await until(client, "no count", () => client.getRoom(roomId).getUnreadNotificationCount("total") === 0);
    }
    assert.equal(alice.getRoom(roomId).getEventReadUpTo(bob_id), said[1].getId());
    await phone.setRoomAccountData(roomId, "org.example.draft", { text: "Fo" });
    await until(bob, "the draft", () => bob.getRoom(roomId).getAccountData("org.example.draft")?.getContent().text === "Fo");

    phone.setSyncPresence("unavailable");
    await phone.setPresence({ presence: "unavailable", status_msg: "at the kettle" });
    await until(alice, "bob's absence", () => alice.getUser(bob_id)?.presenceStatusMsg === "at the kettle");
    await until(alice, "bob's absence", () => alice.getUser(bob_id).presence === "unavailable");
    assert.equal((await alice.getPresence(bob_id)).status_msg, "at the kettle");
    phone.stopClient();
});

test("media", { timeout: 300_000 }, async () => {
    const pixel = Buffer.from(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    const { content_uri: uri } = await alice.uploadContent(new Blob([pixel]), { type: "image/png", name: "pixel.png" });
    const authorized = { headers: { Authorization: `Bearer ${bob.getAccessToken()}` } };
    const url = bob.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true);
    const file = await fetch(url, authorized);
    assert.equal(file.status, 200);
    assert.equal(file.headers.get("Content-Type"), "image/png");
    assert.match(file.headers.get("Content-Disposition"), /pixel\.png/);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), pixel);
    const thumbnail = await fetch(bob.mxcUrlToHttp(uri, 32, 32, "crop", false, true, true), authorized);
    assert.equal(thumbnail.status, 200);
    assert.match(thumbnail.headers.get("Content-Type"), /^image\//);
    await thumbnail.arrayBuffer();
    for (const [url, options, status, errcode] of [
        [bob.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true), {}, 401, "M_MISSING_TOKEN"],
        [bob.mxcUrlToHttp(uri), {}, 404, "M_NOT_FOUND"], // uploads are frozen for who cannot sign in
        [bob.mxcUrlToHttp("mxc://example.org/nothing", undefined, undefined, undefined, false, true, true), authorized, 404, "M_NOT_FOUND"],
    ]) {
        const refused = await fetch(url, options);
        assert.deepEqual([refused.status, (await refused.json()).errcode], [status, errcode], url);
    }
    assert.ok((await bob.getMediaConfig(true))["m.upload.size"] > 1_000_000);
    await alice.setAvatarUrl(uri);
    assert.equal((await bob.getProfileInfo(alice_id)).avatar_url, uri);
});

test("pushers", { timeout: 300_000 }, async () => {
    const pusher = {
        app_id: "org.example.app", pushkey: "key", kind: "http", app_display_name: "App", device_display_name: "Phone", lang: "en",
        data: { url: "https://push.example.org/_matrix/push/v1/notify", format: "event_id_only" },
    };
    await bob.setPusher(pusher);
    const list = async (client) => (await client.getPushers()).pushers.map(({ app_id, pushkey, kind, data }) => ({ app_id, pushkey, kind, data }));
    assert.deepEqual(await list(bob), [{ app_id: "org.example.app", pushkey: "key", kind: "http", data: pusher.data }]);
    assert.deepEqual(await list(carol), []);
    await carol.setPusher({ ...pusher, append: false }); // the phone is hers now
    assert.deepEqual([(await list(bob)).length, (await list(carol)).length], [0, 1]);
    await carol.removePusher("key", "org.example.app");
    assert.deepEqual(await list(carol), []);
});
