// Lets the SDK that Element is made with watch a busy hour, with different settings,
// and compares what it knows afterwards with what the server says.
//
// BUSYHOUR_SEED and BUSYHOUR_LENGTH say which hour, and how many things happen in it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ClientEvent, createClient, Filter, RoomEvent, ThreadEvent, TimelineWindow } from "matrix-js-sdk";

import { session, start, until, watch } from "./person.mjs";
import { SavedStore } from "./savedstore.mjs";
import { Script } from "./script.mjs";
import { serve } from "./server.mjs";
import { Truth } from "./truth.mjs";

const seed = Number(process.env.BUSYHOUR_SEED ?? 1);
const length = Number(process.env.BUSYHOUR_LENGTH ?? 500);

const settings = {
    ann: { lazyLoadMembers: true, threadSupport: true },
    ben: {},
    cat: { lazyLoadMembers: true },
    dan: { lazyLoadMembers: true, threadSupport: true, restarts: true },
    eve: { lazyLoadMembers: true, threadSupport: true, gaps: true },
    fay: { threadSupport: true },
};

const names = Object.keys(settings);
const server = serve(...names);

/** Somebody who watches. */
class Watcher {
    faults = [];
    restarted = 0;
    gappy = new Set(); // rooms

    constructor(session, { restarts = false, gaps = false, ...options }, script) {
        Object.assign(this, { session, restarts, gaps, options, script });
    }

    /** Begins to sync, with what was saved before if it is a restart. */
    async start() {
        const store = new SavedStore(this.client?.store.saved);
        this.client?.stopClient();
        this.client = createClient({
            baseUrl: server.url, timelineSupport: true, store, ...this.session,
            ...(this.gaps && { fetchFn: (url, request) => this.#late(url, request) }),
        });
        this.client.on(ClientEvent.SyncUnexpectedError, (fault) => this.faults.push(fault));
        this.client.on(RoomEvent.TimelineReset, (room) => this.gappy.add(room.roomId));
        this.client.on(ClientEvent.Room, seeGaps);
        if (this.gaps) {
            this.options.filter = new Filter(this.session.userId);
            this.options.filter.setUnreadThreadNotifications(true);
            this.options.filter.setTimelineLimit(2);
        }
        await start(this.client, this.options);
    }

    /** Makes requests, and lets so much happen before each sync that there is more to tell than fits into a timeline. */
    async #late(url, request) {
        if (String(url).includes("/sync?") && this.client?.isInitialSyncComplete()) await this.script.later(25);
        return fetch(url, request);
    }

    /** Watches the hour, in one go or not. */
    async watch() {
        while (this.restarts && !this.script.over) {
            await this.script.later(70);
            await this.start();
            this.restarted++;
        }
        await this.script.later(Infinity);
        await until(this.client, "the end", () => this.client.getAccountData("org.example.end"));
        assert.deepEqual(this.faults, []);
        assert.equal(this.restarted > 1, this.restarts);
        assert.ok(this.gappy.size > 0 || !this.gaps, `${this.session.userId} has seen no gaps`);
    }
}

/**
 * Lets the SDK see all gaps of a room. If it has an event of a limited timeline already, it supposes that it has all that lies
 * before it (processSyncResponse in its sync.ts). But it looks for the event in threads too, and a reply comes with its
 * thread, from /relations, before its turn in /sync. What lies between then never comes, or in the wrong place.
 * Only the room's own timeline can tell.
 */
function seeGaps(room) {
    room.getTimelineForEvent = (id) => room.getUnfilteredTimelineSet().getTimelineForEvent(id);
}

test("a busy hour", { timeout: 600_000 }, async (t) => {
    const devices = () => Promise.all(names.map((name) => session(server.url, name)));
    const [people, sessions, fresh] = await Promise.all([devices(), devices(), devices()]);
    // The SDK does not look whether it has been told all before a leave; who wants gaps must not leave.
    const guests = people.filter((_, i) => !settings[names[i]].gaps);
    const script = new Script(server.url, people, guests, seed);
    await script.open();
    const watchers = names.map((name, i) => new Watcher(sessions[i], settings[name], script));
    try {
        await Promise.all(watchers.map((watcher) => watcher.start()));
        await Promise.all([script.run(length), ...watchers.map((watcher) => watcher.watch())]);
        t.diagnostic(`seed ${seed}: ${script.done} things done, ${script.refused} refused`);
        for (const [i, watcher] of watchers.entries()) await compare(watcher, new Truth(server.url, fresh[i]), script);
    } catch (error) {
        error.message = `BUSYHOUR_SEED=${seed} BUSYHOUR_LENGTH=${length}: ${error.message}`;
        throw error;
    } finally {
        for (const watcher of watchers) watcher.client.stopClient();
    }
});

/** Compares what a client knows with the truth. */
async function compare({ client, gaps, gappy, restarts }, truth, script) {
    const me = client.getUserId();
    const first = await truth.sync();
    const content = (events = []) => Object.fromEntries(events.map(({ type, content }) => [type, content]));
    for (const [type, data] of Object.entries(content(first.account_data?.events))) {
        if (type !== "m.push_rules") assert.deepEqual(client.getAccountData(type)?.getContent(), data, `${me}: account data ${type}`);
    }
    for (const { id } of script.rooms) {
        const about = `${me} in ${id}`;
        const room = client.getRoom(id);
        const part = ["join", "invite"].find((part) => first.rooms?.[part]?.[id]) ?? "leave";
        const membership = room?.getMyMembership() ?? "leave"; // the SDK does not save rooms that were left
        assert.equal(membership === "ban" ? "leave" : membership, part, `${about}: membership`);
        if (part !== "join") continue;
        const section = first.rooms.join[id];
        const data = content(section.account_data?.events);
        assert.deepEqual(room.tags, data["m.tag"]?.tags ?? {}, `${about}: tags`);
        for (const type of ["m.fully_read", "org.example.draft"]) {
            assert.deepEqual(room.getAccountData(type)?.getContent(), data[type], `${about}: ${type}`);
        }
        compareCounts(room, section, restarts, about);
        await compareState(room, await truth.state(id), about);
        // Neither is the SDK told what happens while the user is out.
        const all = await truth.messages(id);
        const messages = all.slice(1 + all.findLastIndex(({ state_key: key, content }) => key === me && ["leave", "ban"].includes(content.membership)));
        await compareTimeline(client, room, messages, about);
        if (client.supportsThreads()) await compareThreads(client, room, truth, messages, about);
        compareRelations(room, messages, !restarts && !gaps && !gappy.has(id), about);
        compareReceipts(room, section, restarts, about);
    }
}

/** Unread counts of the room and of its threads. After a restart the SDK takes for read where the last event that it has is the user's own. */
function compareCounts(room, section, restarts, about) {
    const none = { notification_count: 0, highlight_count: 0 };
    const same = (count, want, about) => {
        const known = { notification_count: count("total"), highlight_count: count("highlight") };
        if (!restarts || known.notification_count > 0) assert.deepEqual(known, want, about);
    };
    same((type) => room.getRoomUnreadNotificationCount(type), section.unread_notifications, `${about}: unread`);
    const threads = section.unread_thread_notifications ?? {};
    for (const id of new Set([...Object.keys(threads), ...room.getThreads().map((thread) => thread.id)])) {
        same((type) => room.getThreadUnreadNotificationCount(id, type), threads[id] ?? none, `${about}: unread in ${id}`);
    }
}

/** The state, the members too, and nothing else. */
async function compareState(room, events, about) {
    await room.loadMembersIfNeeded();
    const known = [...room.currentState.events.values()].flatMap((byKey) => [...byKey.values()]);
    const keys = (list) => list.map(({ type, state_key: key, event_id: id, content: { membership } }) => `${type} ${key} ${id} ${membership}`).sort();
    // With lazy loading the SDK does not ask who has left.
    const kept = events.filter((event) => !room.client.hasLazyLoadMembersEnabled() || event.content.membership !== "leave"
        || room.getMember(event.state_key)?.membership === "leave");
    assert.deepEqual(keys(known.map((event) => event.event)), keys(kept), `${about}: state`);
    for (const event of kept) {
        const content = room.currentState.getStateEvents(event.type, event.state_key).getContent();
        // The SDK gives those who have left the names that they had.
        const left = ["leave", "ban"].includes(event.content.membership);
        assert.deepEqual(left ? content.membership : content, left ? event.content.membership : event.content, `${about}: ${event.type}`);
    }
    const joined = events.filter((event) => event.type === "m.room.member" && event.content.membership === "join");
    assert.equal(room.getJoinedMemberCount(), joined.length, `${about}: count of members`);
    assert.deepEqual(room.getJoinedMembers().map((member) => member.userId).sort(), joined.map((event) => event.state_key).sort(), `${about}: members`);
    for (const { state_key: user, content } of joined) assert.equal(room.getMember(user).rawDisplayName, content.displayname, `${about}: ${user}`);
    const { users } = events.find((event) => event.type === "m.room.power_levels").content;
    for (const [user, level] of Object.entries(users)) {
        if (room.getMember(user)) assert.equal(room.getMember(user).powerLevel, level, `${about}: power of ${user}`);
    }
}

/** All events of a set of timelines, over their gaps. */
async function pageBack(client, set) {
    const window = new TimelineWindow(client, set, { windowLimit: Infinity });
    await window.load();
    while (window.canPaginate("b")) await window.paginate("b", 9);
    return window.getEvents();
}

const ids = (events) => events.map((event) => event.event_id ?? event.getId());

/** The whole history in its order, without losses and duplicates. */
async function compareTimeline(client, room, messages, about) {
    const apart = client.supportsThreads() ? keptApart(messages) : new Set();
    const want = ids(messages).filter((id) => !apart.has(id));
    const compared = new Set(want);
    const known = await pageBack(client, room.getUnfilteredTimelineSet());
    assert.deepEqual(ids(known).filter((id) => compared.has(id)), want, `${about}: timeline`);
    if (messages[0].type === "m.room.create" && !client.supportsThreads()) assert.equal(known.length, messages.length, `${about}: timeline`);
}

/** Events that the SDK keeps elsewhere if threads are apart: replies in threads, and what relates to events that it has not seen yet. */
function keptApart(messages) {
    const apart = messages.filter((event) =>
        event.content["m.relates_to"]?.rel_type || event.unsigned?.redacted_because || event.type === "m.room.redaction");
    return new Set(apart.map((event) => event.event_id));
}

/** The threads, and all replies in them. */
async function compareThreads(client, room, truth, messages, about) {
    const [list] = await room.createThreadsTimelineSets();
    await room.fetchRoomThreads();
    while (await client.paginateEventTimeline(list.getLiveTimeline(), { backwards: true, limit: 3 }));
    const ready = () => room.getThreads().every((thread) => thread.initialEventsFetched);
    await watch(room, Object.values(ThreadEvent).concat(RoomEvent.TimelineReset), `${about}: threads are not ready`, ready);
    const compared = new Set(ids(messages));
    const roots = ids(await truth.threads(room.roomId));
    for (const root of roots) assert.ok(room.getThread(root), `${about}: no thread ${root}`);
    for (const thread of room.getThreads()) {
        const known = (await pageBack(client, thread.timelineSet)).filter((event) => event.isRelation("m.thread"));
        const replies = roots.includes(thread.id) ? await truth.replies(room.roomId, thread.id) : [];
        const kept = (events) => ids(events).filter((id) => compared.has(id)).sort(); // the SDK orders replies by their ages, roughly
        assert.deepEqual(kept(known), kept(replies), `${about}: thread ${thread.id}`);
    }
}

/**
 * Edits, redactions and reactions, wherever the events are. The SDK does not redact
 * what it has when it finds the redaction while it pages back over a gap.
 */
function compareRelations(room, messages, gapless, about) {
    const redacted = new Set(messages.filter((event) => event.unsigned?.redacted_because).map((event) => event.event_id));
    const isStale = (id) => !gapless && redacted.has(id);
    const reactions = new Map();
    for (const { event_id: id, sender, content } of messages) {
        const { rel_type: type, event_id: of, key } = content["m.relates_to"] ?? {};
        if (type === "m.annotation") reactions.set(of, [...(reactions.get(of) ?? []), `${key} ${sender} ${id}`]);
    }
    for (const { event_id: id, type, content, unsigned } of messages) {
        const event = type === "m.room.message" && room.findEventById(id);
        if (!event || isStale(id) || isStale(event.replacingEvent()?.getId())) continue; // edits may be nowhere
        assert.equal(event.isRedacted(), redacted.has(id), `${about}: redaction of ${id}`);
        const edit = unsigned["m.relations"]?.["m.replace"];
        assert.equal(event.getContent().body, edit ? edit.content["m.new_content"].body : content.body, `${about}: text of ${id}`);
        const set = room.findThreadForEvent(event)?.timelineSet ?? room.getUnfilteredTimelineSet();
        const known = set.relations.getChildEventsForEvent(id, "m.annotation", "m.reaction")?.getRelations() ?? [];
        const told = known.filter((reaction) => !reaction.isRedacted() && !isStale(reaction.getId()))
            .map((reaction) => `${reaction.getRelation().key} ${reaction.getSender()} ${reaction.getId()}`);
        assert.deepEqual(told.sort(), (reactions.get(id) ?? []).sort(), `${about}: reactions to ${id}`);
    }
}

/** How far people have read, of which the SDK tells the newest receipt outside threads. */
function compareReceipts(room, section, restarts, about) {
    const receipts = {};
    for (const { type, content } of section.ephemeral?.events ?? []) {
        if (type !== "m.receipt") continue;
        for (const [id, byType] of Object.entries(content)) {
            for (const [user, { thread_id: thread }] of Object.entries(byType["m.read"] ?? {})) {
                if (!thread || thread === "main") (receipts[user] ??= []).push(id);
            }
        }
    }
    for (const [user, events] of Object.entries(receipts)) {
        if (user === room.client.getUserId()) continue; // of public and private receipts the SDK saves the last
        const known = room.getReadReceiptForUserId(user, true)?.eventId;
        if (restarts && !known) continue; // and of two at one event, in a thread and without
        assert.ok(events.includes(known), `${about}: ${user} has read ${events}, not ${known}`);
    }
}
