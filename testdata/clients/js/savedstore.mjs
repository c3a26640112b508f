// A store that keeps what a browser would keep in IndexedDB.
import { MemoryStore, SyncAccumulator } from "matrix-js-sdk";

export class SavedStore extends MemoryStore {
    #sync = new SyncAccumulator();

    /** Goes on with what another store has saved, if any. */
    constructor(saved) {
        super();
        if (!saved) return;
        const { nextBatch, roomsData, accountData } = JSON.parse(saved);
        this.#sync.accumulate({ next_batch: nextBatch, rooms: roomsData, account_data: { events: accountData } }, true);
    }

    /** What would be on the disk. */
    get saved() {
        return JSON.stringify(this.#sync.getJSON(true));
    }

    async setSyncData(answer) {
        this.#sync.accumulate(answer);
    }

    async getSavedSync() {
        const saved = JSON.parse(JSON.stringify(this.#sync.getJSON()));
        return saved.nextBatch ? saved : null;
    }

    async getSavedSyncToken() {
        return this.#sync.getNextBatchToken();
    }
}
