// Lets the SDK that Element is made with keep the keys of messages on the server.
import assert from "node:assert/strict";
import { test } from "node:test";

import { confides, encryptedRoom, encrypting, opens, puzzles, reads, recover, saves, settle } from "./encrypting.mjs";
import { until } from "./person.mjs";
import { serve } from "./server.mjs";

const server = serve("alice", "bob");

test("a backup of keys", { timeout: 300_000 }, async (t) => {
    const safe = new Map();
    const [alice, bob] = await Promise.all([encrypting(server.url, "alice", safe), encrypting(server.url, "bob")]);
    assert.equal(await alice.getCrypto().checkKeyBackupAndEnable(), null);
    await settle(alice, { setupNewKeyBackup: true });
    await until(alice, "the backup", () => alice.getCrypto().getActiveSessionBackupVersion());
    const { version } = await alice.getCrypto().getKeyBackupInfo();

    const rooms = [];
    for (let i = 0; i < 3; i++) {
        const id = await encryptedRoom(alice, bob);
        rooms.push({ id, said: [await confides(alice, id, `Room ${i}.`, bob), await confides(bob, id, "I see.", alice)] });
    }
    await saves(alice);

    await t.test("is restored on a new device", async () => {
        const tablet = await encrypting(server.url, "alice", safe);
        const check = await tablet.getCrypto().checkKeyBackupAndEnable();
        assert.equal(check.backupInfo.version, version);
        assert.equal(await tablet.getCrypto().getActiveSessionBackupVersion(), null, "an unverified device takes the backup for good");
        await opens(tablet, rooms[0].id);
        assert.equal(await puzzles(tablet, rooms[0].id, rooms[0].said[0]), "HISTORICAL_MESSAGE_BACKUP_UNCONFIGURED");

        await recover(tablet);
        await tablet.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
        const stages = new Set();
        const restored = await tablet.getCrypto().restoreKeyBackup({ progressCallback: ({ stage }) => stages.add(stage) });
        assert.deepEqual(restored, { total: 6, imported: 6 });
        assert.deepEqual([...stages], ["fetch", "load_keys"]);
        for (const { id, said } of rooms) {
            await opens(tablet, id);
            for (const event of said) await reads(tablet, id, event);
        }
        assert.equal((await tablet.getCrypto().checkKeyBackupAndEnable()).trustInfo.trusted, true);
        assert.equal(await tablet.getCrypto().getActiveSessionBackupVersion(), version);
    });

    await t.test("is looked into for what a new device meets", async () => {
        const phone = await encrypting(server.url, "alice", safe);
        await recover(phone);
        await phone.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
        await opens(phone, rooms[1].id);
        for (const event of rooms[1].said) await reads(phone, rooms[1].id, event);
    });

    await t.test("is made anew", async () => {
        const other = await encrypting(server.url, "alice", safe);
        await recover(other);
        await other.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
        await other.getCrypto().checkKeyBackupAndEnable();

        await alice.getCrypto().resetKeyBackup();
        await until(alice, "the new backup", async () => {
            const active = await alice.getCrypto().getActiveSessionBackupVersion();
            return active !== null && active !== version;
        });
        await saves(alice);
        const { total, imported } = await alice.getCrypto().restoreKeyBackup();
        assert.deepEqual([total, imported], [6, 6]);
        await assert.rejects(alice.http.authedRequest("GET", `/room_keys/version/${version}`), { errcode: "M_NOT_FOUND" });

        // The other device learns of it when it has a key for the old one.
        await confides(bob, rooms[2].id, "Still there?", alice, other);
        await bob.getCrypto().forceDiscardSession(rooms[2].id);
        await confides(bob, rooms[2].id, "Another session.", alice, other);
        await until(other, "the end of the old backup", async () => (await other.getCrypto().getActiveSessionBackupVersion()) !== version);
        await other.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
        await other.getCrypto().checkKeyBackupAndEnable();
        await saves(alice);
        assert.equal((await other.getCrypto().getKeyBackupInfo()).version, (await alice.getCrypto().getKeyBackupInfo()).version);
    });

    await t.test("is deleted", async () => {
        const { version } = await alice.getCrypto().getKeyBackupInfo();
        await alice.getCrypto().deleteKeyBackupVersion(version);
        assert.equal(await alice.getCrypto().checkKeyBackupAndEnable(), null);
        assert.equal(await alice.getCrypto().getActiveSessionBackupVersion(), null);
        const late = await encrypting(server.url, "alice", safe);
        await opens(late, rooms[0].id);
        assert.equal(await puzzles(late, rooms[0].id, rooms[0].said[0]), "HISTORICAL_MESSAGE_NO_KEY_BACKUP");
        await assert.rejects(late.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage(), /backup/);
    });
});
