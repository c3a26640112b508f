// Lets the SDK that Element is made with encrypt over sliding sync.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";

import { ask, compare, confides, encryptedRoom, encrypting, knows, Line, opens, reads, recover, saves, settle } from "./encrypting.mjs";
import { until } from "./person.mjs";
import { serve } from "./server.mjs";

const server = serve("alice", "bob");

/** Signs in on a device that learns everything from sliding sync, encryption from its extensions e2ee and to_device. */
function sliding(username, safe, settings) {
    const room = { timeline_limit: 20, required_state: [["*", "*"]] };
    const options = (client) => ({ slidingSync: new SlidingSync(server.url, new Map([["all", { ranges: [[0, 99]], ...room }]]), room, client, 20_000) });
    return encrypting(server.url, username, safe, { options, ...settings });
}

// CLIENTC-11: the extensions carry what /sync has, by the same rules.
test("encryption over sliding sync", { timeout: 300_000 }, async () => {
    const safe = new Map();
    const [alice, bob] = await Promise.all([sliding("alice", safe), encrypting(server.url, "bob")]);
    await Promise.all([settle(alice, { setupNewKeyBackup: true }), settle(bob)]);
    const roomId = await encryptedRoom(alice, bob);
    const secret = await confides(alice, roomId, "Nobody hears us.", bob);
    await confides(bob, roomId, "Not even the server.", alice);

    const devices = async () => (await alice.getCrypto().getUserDeviceInfo([bob.getUserId()])).get(bob.getUserId());
    const tablet = await sliding("bob");
    await knows(alice, tablet);
    await confides(alice, roomId, "Both of you.", bob, tablet);
    await confides(tablet, roomId, "Both of us.", alice, bob);

    const [request, received] = await ask(tablet, bob, (crypto) => crypto.requestOwnUserVerification());
    await compare(request, received);
    const trusted = async () => (await alice.getCrypto().getDeviceVerificationStatus(bob.getUserId(), tablet.getDeviceId())).signedByOwner;
    await until(alice, "the signature of the tablet", trusted);
    await until(tablet, "the secrets", async () => (await tablet.getCrypto().getCrossSigningStatus()).privateKeysCachedLocally.masterKey);

    const [question, got] = await ask(alice, tablet, (crypto) => crypto.requestVerificationDM(bob.getUserId(), roomId));
    await compare(question, got);
    await until(bob, "the verified alice", async () => (await bob.getCrypto().getUserVerificationStatus(alice.getUserId())).isCrossSigningVerified());

    // Keys that are used up are made anew.
    const left = async () => (await alice.http.authedRequest("POST", "/keys/upload", undefined, {})).one_time_key_counts.signed_curve25519;
    for (let i = await left(); i > 20; i--) await bob.claimOneTimeKeys([[alice.getUserId(), alice.getDeviceId()]]);
    await until(alice, "enough keys", async () => (await left()) >= 50);

    await saves(alice);
    const phone = await sliding("alice", safe);
    await recover(phone);
    await phone.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
    await phone.getCrypto().restoreKeyBackup();
    await opens(phone, roomId);
    assert.equal((await reads(phone, roomId, secret)).getContent().body, "Nobody hears us.");

    const gone = tablet.getDeviceId();
    await tablet.logout();
    await until(alice, "the tablet's end", async () => !(await devices()).has(gone));
    await confides(alice, roomId, "Good night.", bob, phone);
});

test("a server that starts again", { timeout: 300_000 }, async () => {
    const line = new Line(server);
    const [alice, bob] = await Promise.all([
        sliding("alice", undefined, { fetchFn: line.fetch }), encrypting(server.url, "bob", undefined, { fetchFn: line.fetch }),
    ]);
    const roomId = await encryptedRoom(alice, bob);
    await confides(alice, roomId, "Good night.", bob);
    await confides(bob, roomId, "Sleep well.", alice);

    line.cut();
    await server.restart();
    line.mend();
    await confides(alice, roomId, "Good morning.", bob);
    await confides(bob, roomId, "Still the same?", alice);

    const tablet = await encrypting(server.url, "bob");
    await knows(alice, tablet);
    await confides(alice, roomId, "All is well.", bob, tablet);
});
