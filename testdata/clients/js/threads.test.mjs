// Lets the SDK that Element is made with talk in threads.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { RoomEvent, ThreadEvent } from "matrix-js-sdk";
import { ThreadFilterType } from "matrix-js-sdk/lib/models/thread.js";

import { Program } from "./program.mjs";
import { arrive, hears, register, until, watch } from "./person.mjs";

const names = ["alice", "bob", "carol"];
const [alice_id, bob_id, carol_id] = names.map((name) => `@${name}:example.org`);

let server, data, alice, bob, carol;

before(async () => {
    data = await mkdtemp(join(tmpdir(), "homeserver-"));
    server = await Program.start(data);
    await Promise.all(names.map((name) => register(server.url, name)));
    [alice, bob, carol] = await Promise.all(names.map((name) => arrive(server.url, name)));
});

after(async () => {
    for (const client of [alice, bob, carol]) client.stopClient();
    await server.stop();
    await rm(data, { recursive: true });
});

/** A room with all of them in it. */
async function gather() {
    const { room_id: roomId } = await alice.createRoom({ preset: "public_chat" });
    for (const client of [bob, carol]) {
        await client.joinRoom(roomId);
        await until(client, "the room", () => client.getRoom(roomId)?.getMyMembership() === "join");
    }
    return roomId;
}

const say = async (client, roomId, text) => (await client.sendTextMessage(roomId, text)).event_id;

/** Replies in a thread. Like Element, it opens that first: the SDK doesn't find a place for the echo in one that it does not know. */
async function reply(client, roomId, root, text, more) {
    const event = await hears(client, roomId, root);
    const thread = client.getRoom(roomId).getThread(root) ?? client.getRoom(roomId).createThread(root, event, [], true);
    await untilThread(client, roomId, "the thread's beginning", () => thread.initialEventsFetched);
    return (await client.sendMessage(roomId, root, { msgtype: "m.text", body: text, ...more })).event_id;
}

/** Waits until something holds of a room, its threads included, of which the client tells nothing by itself. */
const untilThread = (client, roomId, what, holds) => watch(
    client.getRoom(roomId),
    [...Object.values(ThreadEvent), RoomEvent.Timeline, RoomEvent.TimelineReset, RoomEvent.Redaction, RoomEvent.UnreadNotifications, RoomEvent.Receipt],
    `${client.getUserId()} waits in vain for ${what}`,
    () => holds(client.getRoom(roomId)),
);

const ids = (events) => events.map((event) => event.getId());

test("a thread", { timeout: 300_000 }, async () => {
    const roomId = await gather();
    const root = await say(alice, roomId, "Which tea?");
    const replies = [await reply(bob, roomId, root, "Green.")];
    for (const client of [alice, bob, carol]) {
        await untilThread(client, roomId, "the thread", (room) => room.getThread(root)?.initialEventsFetched);
    }
    for (let i = 0; i < 12; i++) {
        const [speaker, listener] = i % 2 === 0 ? [carol, bob] : [bob, carol];
        const id = await reply(speaker, roomId, root, `Reason number ${i}`);
        await untilThread(listener, roomId, "the reply", (room) => room.getThread(root).findEventById(id));
        replies.push(id);
    }
    const aside = await say(bob, roomId, "By the way, it rains.");
    await hears(alice, roomId, aside);
    // Its length is what the SDK guesses, and guesses wrong if replies come while it asks for the first ones.
    await untilThread(alice, roomId, "all replies", (room) => replies.every((id) => room.getThread(root).findEventById(id)));
    const thread = alice.getRoom(roomId).getThread(root);
    assert.equal(thread.replyToEvent.getId(), replies.at(-1));
    assert.equal(thread.hasCurrentUserParticipated, true); // she has begun it
    const main = ids(alice.getRoom(roomId).getLiveTimeline().getEvents());
    assert.deepEqual([root, aside, ...replies].map((id) => main.includes(id)), [true, true, ...replies.map(() => false)]);

    // What relates to what is said in it is in the thread as well.
    const { event_id: edit } = await bob.sendMessage(roomId, root, {
        msgtype: "m.text", body: "* Black.", "m.new_content": { msgtype: "m.text", body: "Black." },
        "m.relates_to": { rel_type: "m.replace", event_id: replies[0] },
    });
    await bob.sendEvent(roomId, root, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: replies[1], key: "👍" } });
    await alice.sendEvent(roomId, root, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: replies[1], key: "👍" } });
    await carol.redactEvent(roomId, root, replies[3]);
    const body = (room, id) => room.getThread(root).findEventById(id)?.getContent().body;
    const likes = (room) => room.getThread(root).timelineSet.relations.getChildEventsForEvent(replies[1], "m.annotation", "m.reaction")?.getSortedAnnotationsByKey() ?? [];
    const left = replies.filter((_, i) => i !== 3);

    // Who comes later, and pages back through it, sees the same.
    const late = await arrive(server.url, "alice", { initialSyncLimit: 1 });
    await late.getRoom(roomId).createThreadsTimelineSets();
    await late.getRoom(roomId).fetchRoomThreads();
    await untilThread(late, roomId, "the thread", (room) => room.getThread(root).initialEventsFetched);
    while (await late.paginateEventTimeline(late.getRoom(roomId).getThread(root).liveTimeline, { backwards: true, limit: 2 }));
    for (const client of [alice, late]) {
        await until(client, "the edit", () => body(client.getRoom(roomId), replies[0]) === "Black.");
        await until(client, "the reactions", () => likes(client.getRoom(roomId))[0]?.[1].size === 2);
        await untilThread(client, roomId, "the redaction", (room) => room.getThread(root).findEventById(replies[3])?.isRedacted() !== false);
        const said = client.getRoom(roomId).getThread(root).events.filter((event) => event.getType() === "m.room.message" && !event.isRelation("m.replace"));
        assert.deepEqual(ids(said).filter((id) => id !== replies[3]), [root, ...left], client === late ? "later" : "live");
        assert.equal(client.getRoom(roomId).getThread(root).findEventById(replies[0]).replacingEventId(), edit);
    }
    late.stopClient();

    // The same, a few at a time.
    const pages = [];
    let from;
    do {
        const page = await bob.relations(roomId, root, "m.thread", null, { dir: "b", limit: 5, from });
        assert.ok(page.events.length <= 5);
        pages.unshift(...ids(page.events).reverse());
        from = page.nextBatch;
    } while (from);
    assert.deepEqual(pages, left);
    const { chunk } = await bob.fetchRelations(roomId, root, null, null, { dir: "f", limit: 50, recurse: true });
    assert.deepEqual(chunk.filter((event) => event.type === "m.room.message").map((event) => event.event_id), [...left, edit]);
    const summary = (await bob.fetchRoomEvent(roomId, root)).unsigned["m.relations"]["m.thread"];
    assert.deepEqual([summary.count, summary.latest_event.event_id, summary.current_user_participated], [left.length, left.at(-1), true]);
});

test("unread threads", { timeout: 300_000 }, async () => {
    const roomId = await gather();
    const root = await say(alice, roomId, "What is in the box?");
    const other = await say(alice, roomId, "And in this one?");
    const counts = (room) => [
        room.getRoomUnreadNotificationCount("total"), room.getRoomUnreadNotificationCount("highlight"),
        ...[root, other].flatMap((id) => ["total", "highlight"].map((type) => room.getThreadUnreadNotificationCount(id, type))),
    ];
    const counted = (client, want) => untilThread(client, roomId, `counts ${want}`, (room) => counts(room).join() === want.join());
    const phone = await arrive(server.url, "alice");

    await reply(bob, roomId, root, "Tea.");
    const mention = await reply(bob, roomId, root, "alice: Look!", { "m.mentions": { user_ids: [alice_id] } });
    await reply(carol, roomId, other, "Coffee!");
    const aside = await say(carol, roomId, "Good morning.");
    for (const client of [alice, phone]) await counted(client, [1, 0, 2, 1, 1, 0]);

    await alice.sendReadReceipt(await untilThread(alice, roomId, "the mention", (room) => room.getThread(root)?.findEventById(mention)));
    for (const client of [alice, phone]) await counted(client, [1, 0, 0, 0, 1, 0]);
    await untilThread(bob, roomId, "the receipt", (room) => room.getThread(root)?.getReadReceiptForUserId(alice_id)?.eventId === mention);
    assert.equal(bob.getRoom(roomId).getThread(root).getReadReceiptForUserId(alice_id).data.thread_id, root);
    assert.notEqual(bob.getRoom(roomId).getReadReceiptForUserId(alice_id, true)?.data.thread_id, root);

    await alice.sendReadReceipt(await hears(alice, roomId, aside)); // of the main timeline
    for (const client of [alice, phone]) await counted(client, [0, 0, 0, 0, 1, 0]);
    await reply(bob, roomId, root, "More tea.");
    for (const client of [alice, phone]) await counted(client, [0, 0, 1, 0, 1, 0]);
    const last = await say(carol, roomId, "Good night.");
    await alice.sendReadReceipt(await hears(alice, roomId, last), "m.read", true); // of everything
    for (const client of [alice, phone]) await counted(client, [0, 0, 0, 0, 0, 0]);
    phone.stopClient();
});

test("many threads", { timeout: 300_000 }, async () => {
    const roomId = await gather();
    const roots = [];
    for (let i = 0; i < 33; i++) roots.push(await say(bob, roomId, `Topic ${i}`));
    for (const root of roots) await reply(carol, roomId, root, "I agree.");
    const mine = [roots[20], roots[7]];
    for (const root of mine) await reply(alice, roomId, root, "So do I.");
    const order = [...roots.filter((root) => !mine.includes(root)), ...mine]; // by the newest replies

    const late = await arrive(server.url, "alice", { initialSyncLimit: 1 });
    const pages = async (limit, type) => {
        const all = [];
        let page = {};
        do {
            page = await late.createThreadListMessagesRequest(roomId, page.end ?? null, limit, "b", type);
            assert.ok(page.chunk.length <= limit);
            all.unshift(...page.chunk.map((event) => event.event_id));
        } while (page.end);
        return all;
    };
    assert.deepEqual(await pages(10, ThreadFilterType.All), order);
    assert.deepEqual(await pages(1, ThreadFilterType.My), mine);

    const room = late.getRoom(roomId);
    const lists = await room.createThreadsTimelineSets();
    await room.fetchRoomThreads();
    const [all, own] = lists.map((list) => list.getLiveTimeline());
    assert.deepEqual(ids(all.getEvents()), order.slice(3)); // the SDK begins with a page of 30
    assert.deepEqual(ids(own.getEvents()), mine);
    while (await late.paginateEventTimeline(all, { backwards: true, limit: 2 }));
    // It puts further pages on top the wrong way round.
    assert.deepEqual(ids(all.getEvents()).sort(), [...order].sort());
    await untilThread(late, roomId, "all threads", (room) => room.getThreads().length === 33 && room.getThreads().every((thread) => thread.initialEventsFetched));
    for (const thread of room.getThreads()) {
        assert.equal(thread.length, mine.includes(thread.id) ? 2 : 1);
        assert.equal(thread.hasCurrentUserParticipated, mine.includes(thread.id));
        assert.deepEqual(thread.events.map((event) => event.getSender()), [bob_id, carol_id, alice_id].slice(0, thread.length + 1));
    }
    late.stopClient();
});
