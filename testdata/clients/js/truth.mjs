// What the server says when a user asks it directly.
import { ask } from "./script.mjs";

const path = (template, ...parts) => template.replaceAll("{}", () => encodeURIComponent(parts.shift()));

export class Truth {
    /** The session is best of a device that has never synced. */
    constructor(url, session) {
        this.get = async (path) => {
            const { status, data } = await ask(url, session.accessToken, "GET", path);
            if (status !== 200) throw new Error(`${session.userId} GET ${path}: ${status} ${JSON.stringify(data)}`);
            return data;
        };
    }

    /** A first sync. */
    sync() {
        const filter = { room: { include_leave: true, timeline: { limit: 1, unread_thread_notifications: true } } };
        return this.get(`/v3/sync?filter=${encodeURIComponent(JSON.stringify(filter))}`);
    }

    state(roomId) {
        return this.get(path("/v3/rooms/{}/state", roomId));
    }

    /** All that the user may see of the room's history, the oldest first. */
    async messages(roomId) {
        const chunk = await this.#pages(path("/v3/rooms/{}/messages?dir=b&limit=100", roomId), "end");
        return chunk.reverse();
    }

    /** The roots of all threads, that with the newest reply first. */
    threads(roomId) {
        return this.#pages(path("/v1/rooms/{}/threads?limit=20", roomId), "next_batch");
    }

    /** The replies in a thread, the oldest first. */
    replies(roomId, root) {
        return this.#pages(path("/v1/rooms/{}/relations/{}/m.thread?dir=f&limit=20", roomId, root), "next_batch");
    }

    async #pages(path, next) {
        const all = [];
        for (let from = ""; from !== undefined;) {
            const page = await this.get(path + from);
            all.push(...page.chunk);
            from = page[next] && `&from=${page[next]}`;
        }
        return all;
    }
}
