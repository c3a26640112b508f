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

    /**
     * Who left and was invited again since the last sync is told of the invite alone. The accumulator keeps the room
     * as a joined one then (accumulateRoom in the SDK's sync-accumulator.ts), unless it hears of the leave first.
     */
    async setSyncData(answer) {
        const leave = Object.fromEntries(Object.keys(answer.rooms?.invite ?? {}).map((id) => [id, {}]));
        this.#sync.accumulate({ next_batch: answer.next_batch, rooms: { leave } });
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
