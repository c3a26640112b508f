// What people do in a busy hour: drawn by a seeded generator, and done over plain HTTP.

const path = (template, ...parts) => template.replaceAll("{}", () => encodeURIComponent(parts.shift()));

/** Asks the server something as somebody; the answer has its status and its JSON. */
export async function ask(url, token, method, path, body) {
    const answer = await fetch(`${url}/_matrix/client${path}`, {
        method, headers: { Authorization: `Bearer ${token}` }, ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, data: await answer.json() };
}

export class Script {
    rooms = [];
    done = 0;
    refused = 0;
    #url;
    #people;
    #state;
    #guests;
    #txn = 0;
    #waiting = [];

    /** People are sessions. Guests are those of them who leave rooms now and then. */
    constructor(url, people, guests, seed) {
        [this.#url, this.#people, this.#guests, this.#state] = [url, people, guests, seed];
    }

    /** Makes the rooms, of different kinds, and gathers everybody in each of them. */
    async open() {
        const kinds = [["10", "shared"], ["11", "joined"], ["11", "shared"], ["10", "invited"], ["11", "world_readable"]];
        for (const [i, [version, visibility]] of kinds.entries()) {
            const founder = this.#people[i % this.#people.length];
            const others = this.#people.filter((who) => who !== founder);
            const { room_id: id } = await this.#ask(founder, "POST", "/v3/createRoom", {
                name: `Room ${i}`, room_version: version, preset: i === 3 ? "private_chat" : "public_chat", invite: others.map((who) => who.userId),
                initial_state: [{ type: "m.room.history_visibility", state_key: "", content: { history_visibility: visibility } }],
            });
            await Promise.all(others.map((who) => this.#ask(who, "POST", path("/v3/rooms/{}/join", id), {})));
            // No thread begins with what somebody in it may not see: for that the SDK throws errors which nobody can catch.
            this.rooms.push({ id, founder, said: [], threads: visibility === "shared" || visibility === "world_readable" });
        }
    }

    /** Lets that many things happen, up to four at a time. */
    async run(length) {
        for (let left = length; left > 0;) {
            const round = Array.from({ length: Math.min(left, 1 + this.#below(4)) }, () => {
                const room = this.#of(this.rooms);
                const deed = this.#deed();
                return { room, doing: deed(this.#doing(room)) };
            });
            for (const { room, doing } of round) {
                const said = await doing;
                if (said?.id) room.said.push(said);
            }
            left -= round.length;
            this.#waiting = this.#waiting.filter(({ until, go }) => this.done + this.refused < until || go());
        }
        await this.#finish();
        for (const { go } of this.#waiting.splice(0)) go();
        this.over = true;
    }

    /** Waits until that many more things have happened, or all. */
    later(count) {
        if (this.over) return Promise.resolve();
        return new Promise((go) => this.#waiting.push({ until: this.done + this.refused + count, go }));
    }

    /** Nobody types any more, and everybody has a last thing in their account data, after all else. */
    async #finish() {
        for (const who of this.#people) {
            for (const room of this.rooms) {
                await this.#ask(who, "PUT", path("/v3/rooms/{}/typing/{}", room.id, who.userId), { typing: false });
            }
        }
        for (const who of this.#people) await this.#ask(who, "PUT", path("/v3/user/{}/account_data/org.example.end", who.userId), { done: this.done });
    }

    /** What a deed needs: chance, the people, and how to ask. */
    #doing(room) {
        const who = this.#below(3) === 0 ? room.founder : this.#of(this.#people);
        const others = this.#people.filter((other) => other !== room.founder);
        const recent = room.said.slice(-40);
        return {
            room, who, other: this.#of(others), guest: this.#of(others.filter((other) => this.#guests.includes(other))), people: this.#people,
            of: (list) => this.#of(list), below: (n) => this.#below(n),
            pick: (holds) => this.#of(recent.filter(holds)),
            ask: (method, path, body, as = who) => this.#ask(as, method, path, body),
            send: async (type, content, note, as = who) => {
                const { event_id: id } = await this.#ask(as, "PUT", path("/v3/rooms/{}/send/{}/{}", room.id, type, `t${this.#txn++}`), content);
                return { id, sender: as.userId, type, ...note };
            },
        };
    }

    async #ask(who, method, path, body) {
        const { status, data } = await ask(this.#url, who.accessToken, method, path, body);
        if (status === 200) {
            this.done++;
            return data;
        }
        if (!refusals.includes(data.errcode)) throw new Error(`${who.userId} ${method} ${path}: ${status} ${JSON.stringify(data)}`);
        this.refused++;
        return {};
    }

    #deed() {
        let at = this.#below(deeds.reduce((sum, [weight]) => sum + weight, 0));
        return deeds.find(([weight]) => (at -= weight) < 0)[1];
    }

    #of(list) {
        return list[this.#below(list.length)];
    }

    /** A random number below n, of the generator mulberry32. */
    #below(n) {
        this.#state = (this.#state + 0x6d2b79f5) | 0;
        let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
        x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
        return Math.floor((((x ^ (x >>> 14)) >>> 0) / 4294967296) * n);
    }
}

/** Who draws lots may want what they may not, or name the thread of an event that is just being redacted. */
const refusals = ["M_FORBIDDEN", "M_BAD_STATE", "M_NOT_FOUND", "M_DUPLICATE_ANNOTATION", "M_INVALID_PARAM"];

const words = ["tea", "coffee", "cake", "rain", "garden", "kettle", "biscuit", "spoon"];

const text = ({ of, below, other }) => {
    const body = Array.from({ length: 1 + below(5) }, () => of(words)).join(" ");
    return { msgtype: "m.text", body, ...(below(6) === 0 && { "m.mentions": { user_ids: [other.userId] } }) };
};

const isMessage = (event) => event.type === "m.room.message" && !event.of;

/** What people do, and how often. They draw their lots before they wait for anything, so that a seed makes the same hour. */
const deeds = [
    [22, (d) => d.send("m.room.message", text(d), {})],
    [18, (d) => { // mostly in threads that are there
        if (!d.room.threads) return;
        const root = d.below(4) > 0 && d.pick((event) => event.root)?.root || d.pick((event) => isMessage(event) && !event.root && !event.gone)?.id;
        return root && d.send("m.room.message", { ...text(d), "m.relates_to": { rel_type: "m.thread", event_id: root } }, { root });
    }],
    [7, (d) => {
        const event = d.pick(isMessage);
        if (!event) return;
        const content = text(d);
        const change = { ...content, body: `* ${content.body}`, "m.new_content": content, "m.relates_to": { rel_type: "m.replace", event_id: event.id } };
        return d.send("m.room.message", change, { of: event.id, root: event.root }, d.people.find((who) => who.userId === event.sender));
    }],
    [9, (d) => {
        const event = d.pick(isMessage);
        const content = event && { "m.relates_to": { rel_type: "m.annotation", event_id: event.id, key: d.of(["👍", "👎", "🍰"]) } };
        return event && d.send("m.reaction", content, { of: event.id, root: event.root });
    }],
    [5, async (d) => { // but nothing that is in a thread or about its root: the SDK moves that into the newest timeline, wherever it belongs
        const roots = new Set(d.room.said.map((event) => event.root));
        const event = d.pick((event) => !event.gone && !event.root && !roots.has(event.id) && !(d.room.threads && event.of));
        if (!event) return;
        event.gone = true;
        const as = d.below(3) === 0 ? d.room.founder : d.people.find((who) => who.userId === event.sender);
        await d.ask("PUT", path("/v3/rooms/{}/redact/{}/r{}", d.room.id, event.id, event.id), {}, as);
    }],
    [3, (d) => d.ask("PUT", path("/v3/rooms/{}/state/m.room.topic/", d.room.id), { topic: text(d).body })],
    [2, (d) => d.ask("PUT", path("/v3/rooms/{}/state/m.room.name/", d.room.id), { name: text(d).body })],
    [2, (d) => d.ask("PUT", path("/v3/rooms/{}/state/org.example.seat/{}", d.room.id, d.of(words)), { taken: d.below(2) === 0 }, d.room.founder)],
    [2, (d) => d.ask("PUT", path("/v3/rooms/{}/state/m.room.power_levels/", d.room.id),
        { users: { [d.room.founder.userId]: 100, [d.other.userId]: 50 }, state_default: 50, users_default: 0 }, d.room.founder)],
    [2, (d) => d.ask("POST", path("/v3/rooms/{}/leave", d.room.id), {}, d.guest)],
    [9, (d) => d.ask("POST", path("/v3/rooms/{}/join", d.room.id), {}, d.guest)],
    ...[[3, "invite"], [2, "kick"], [1, "ban"], [4, "unban"]].map(([weight, verb]) =>
        [weight, (d) => d.ask("POST", path("/v3/rooms/{}/{}", d.room.id, verb), { user_id: d.guest.userId }, d.room.founder)]),
    [12, (d) => {
        const event = d.pick((event) => isMessage(event) && !event.gone);
        const thread = d.of([undefined, event?.root ?? "main", event?.root ?? "main"]);
        return event && d.ask("POST", path("/v3/rooms/{}/receipt/{}/{}", d.room.id, d.of(["m.read", "m.read", "m.read.private"]), event.id), { thread_id: thread });
    }],
    [2, (d) => {
        const event = d.pick(() => true);
        return event && d.ask("POST", path("/v3/rooms/{}/read_markers", d.room.id), { "m.fully_read": event.id });
    }],
    [3, (d) => d.ask("PUT", path("/v3/rooms/{}/typing/{}", d.room.id, d.who.userId), { typing: d.below(2) === 0, timeout: 30_000 })],
    [2, (d) => d.ask("PUT", path("/v3/profile/{}/displayname", d.who.userId), { displayname: d.of(words) })],
    [2, (d) => {
        const at = path("/v3/user/{}/rooms/{}/tags/{}", d.who.userId, d.room.id, d.of(["m.favourite", "m.lowpriority", "u.tea"]));
        return d.below(3) === 0 ? d.ask("DELETE", at) : d.ask("PUT", at, { order: d.below(10) / 10 });
    }],
    [2, (d) => d.ask("PUT", path("/v3/user/{}/rooms/{}/account_data/org.example.draft", d.who.userId, d.room.id), { text: text(d).body })],
    [2, (d) => d.ask("PUT", path("/v3/user/{}/account_data/org.example.mood", d.who.userId), { mood: d.of(words) })],
];
