// Lets the SDK that Element is made with come back, stay away and leave something behind.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { authentication, confides, encryptedRoom, encrypting, enter, Line, meets, reads, recover, settle } from "./encrypting.mjs";
import { until } from "./person.mjs";
import { serve } from "./server.mjs";

const server = serve("alice", "bob", "carol", "dave", "erin");

/** The devices of another that a client knows. */
async function devices(client, userId) {
    return (await client.getCrypto().getUserDeviceInfo([userId])).get(userId) ?? new Map();
}

test("a dehydrated device", { timeout: 300_000 }, async () => {
    const safe = new Map();
    let [alice, bob] = await Promise.all([encrypting(server.url, "alice", safe), encrypting(server.url, "bob")]);
    const aliceId = alice.getUserId();
    await settle(alice);
    const roomId = await encryptedRoom(alice, bob);
    const dehydrated = async () =>
        (await alice.http.authedRequest("GET", "/dehydrated_device", {}, undefined, {
            prefix: "/_matrix/client/unstable/org.matrix.msc3814.v1",
        })).device_id;

    assert.equal(await alice.getCrypto().isDehydrationSupported(), true);
    await assert.rejects(dehydrated(), { errcode: "M_NOT_FOUND" });
    await alice.getCrypto().startDehydration();
    const first = await dehydrated();
    await until(bob, "the dehydrated device", async () => (await devices(bob, aliceId)).get(first)?.dehydrated);
    assert.equal((await bob.getCrypto().getDeviceVerificationStatus(aliceId, first)).signedByOwner, true);
    const gone = alice.getDeviceId();
    await alice.logout();
    await until(bob, "the end of alice's device", async () => !(await devices(bob, aliceId)).has(gone));
    const secret = await confides(bob, roomId, "She will read this when she is back.");

    alice = await encrypting(server.url, "alice", safe);
    await recover(alice);
    let keys = 0;
    alice.on(CryptoEvent.RehydrationProgress, (count) => (keys = count));
    let error;
    alice.on(CryptoEvent.RehydrationError, (message) => (error = message));
    await alice.getCrypto().startDehydration();
    assert.equal(error, undefined);
    assert.equal(keys, 1);
    assert.equal((await reads(alice, roomId, secret)).getContent().body, "She will read this when she is back.");

    const second = await dehydrated();
    assert.notEqual(second, first);
    await until(bob, "the next dehydrated device", async () => {
        const known = await devices(bob, aliceId);
        return known.get(second)?.dehydrated && !known.has(first);
    });
    await confides(alice, roomId, "Here I am.", bob);

    // What is made anew does not leave the old one behind.
    await alice.getCrypto().resetEncryption(authentication(alice));
    await until(bob, "the end of the dehydrated device", async () => !(await devices(bob, aliceId)).has(second));
    await assert.rejects(dehydrated(), { errcode: "M_NOT_FOUND" });
});

test("a device that stays away", { timeout: 300_000 }, async () => {
    const line = new Line(server);
    const [carol, dave] = await Promise.all([encrypting(server.url, "carol"), encrypting(server.url, "dave", new Map(), { fetchFn: line.fetch })]);
    const roomId = await encryptedRoom(carol, dave);
    const claim = async () => {
        const { one_time_keys: keys } = await carol.claimOneTimeKeys([[dave.getUserId(), dave.getDeviceId()]]);
        return Object.values(keys[dave.getUserId()][dave.getDeviceId()])[0];
    };

    await until(carol, "dave's keys", async () => (await devices(carol, dave.getUserId())).has(dave.getDeviceId()));
    line.cut();
    const keys = [];
    let key;
    while (!(key = await claim()).fallback) keys.push(key.key);
    assert.equal(new Set(keys).size, keys.length);
    // The SDK uploads 50, and 50 more if a sync that began before that is done with only afterwards.
    assert.ok([50, 100].includes(keys.length), `${keys.length} keys`);
    assert.deepEqual(await claim(), key);
    const secret = await confides(carol, roomId, "You are missed.");
    const erin = await encrypting(server.url, "erin");
    await carol.invite(roomId, erin.getUserId());
    await enter(erin, roomId);
    await meets(carol, roomId, erin);
    const more = await confides(erin, roomId, "By all of us.", carol);

    line.mend();
    assert.equal((await reads(dave, roomId, secret)).getContent().body, "You are missed.");
    assert.equal((await reads(dave, roomId, more)).getContent().body, "By all of us.");
    await confides(dave, roomId, "Thank you.", carol, erin);
    await until(dave, "the new keys", async () => !(await claim()).fallback);
});

test("devices are signed out", { timeout: 300_000 }, async () => {
    const [alice, ...others] = await Promise.all(Array.from({ length: 4 }, () => encrypting(server.url, "alice")));
    const bob = await encrypting(server.url, "bob");
    const roomId = await encryptedRoom(alice, bob);
    const ids = others.map((device) => device.getDeviceId());
    await until(bob, "alice's devices", async () => {
        const known = await devices(bob, alice.getUserId());
        return [alice.getDeviceId(), ...ids].every((id) => known.has(id));
    });
    await confides(bob, roomId, "To all of you.", alice, ...others);

    await alice.setDeviceDetails(ids[0], { display_name: "Lost phone" });
    const named = async () => (await alice.getDevices()).devices.find((device) => device.device_id === ids[0]);
    assert.equal((await named()).display_name, "Lost phone");

    await assert.rejects(alice.deleteDevice(ids[0]), { httpStatus: 401 });
    await assert.rejects(authentication(alice, "wrong")((auth) => alice.deleteDevice(ids[0], auth)), { httpStatus: 401, errcode: "M_FORBIDDEN" });
    assert.equal((await others[0].whoami()).device_id, ids[0]);
    await authentication(alice)((auth) => alice.deleteDevice(ids[0], auth));
    await authentication(alice)((auth) => alice.deleteMultipleDevices(ids.slice(1), auth));
    assert.equal(await named(), undefined);
    for (const other of others) await assert.rejects(other.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
    assert.equal((await alice.whoami()).device_id, alice.getDeviceId());
    await until(bob, "the end of the devices", async () => {
        const known = await devices(bob, alice.getUserId());
        return known.has(alice.getDeviceId()) && !ids.some((id) => known.has(id));
    });
    await confides(bob, roomId, "To the one of you.", alice);
});
