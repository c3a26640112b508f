// Lets the SDK that Element is made with say what the server cannot read.
import assert from "node:assert/strict";
import { test } from "node:test";

import { confides, encryptedRoom, encrypting, enter, knows, meets, puzzles, reads, sessionOf } from "./encrypting.mjs";
import { until } from "./person.mjs";
import { serve } from "./server.mjs";

const server = serve("alice", "bob", "carol");

test("an encrypted room", { timeout: 300_000 }, async () => {
    const [alice, bob, carol] = await Promise.all(["alice", "bob", "carol"].map((name) => encrypting(server.url, name)));
    const roomId = await encryptedRoom(alice, bob);

    const secret = await confides(alice, roomId, "Nobody hears us.", bob);
    for (let i = 0; i < 3; i++) {
        await confides(bob, roomId, "Not even the server.", alice);
        await confides(alice, roomId, "Really?", bob);
    }

    // Edits are encrypted, reactions are not.
    await alice.sendMessage(roomId, {
        msgtype: "m.text", body: "* Nobody reads this.",
        "m.new_content": { msgtype: "m.text", body: "Nobody reads this." },
        "m.relates_to": { rel_type: "m.replace", event_id: secret },
    });
    const text = (client) => client.getRoom(roomId).findEventById(secret).getContent().body;
    await until(bob, "the edit", () => text(bob) === "Nobody reads this.");
    const { event_id: reaction } = await bob.sendEvent(roomId, "m.reaction", {
        "m.relates_to": { rel_type: "m.annotation", event_id: secret, key: "🤫" },
    });
    await until(alice, "the reaction", () => alice.getRoom(roomId).findEventById(reaction)?.getRelation()?.key === "🤫");
    const { originalEvent, events } = await alice.relations(roomId, secret, null, null);
    assert.equal(originalEvent.isEncrypted(), true);
    assert.deepEqual(events.map((event) => event.getRelation().rel_type), ["m.annotation", "m.replace"]);
    const { event_id: answer } = await bob.sendMessage(roomId, {
        msgtype: "m.text", body: "Good.", "m.relates_to": { "m.in_reply_to": { event_id: secret } },
    });
    assert.equal((await reads(alice, roomId, answer)).replyEventId, secret);

    // Who comes later reads what is said from then on.
    await alice.invite(roomId, carol.getUserId());
    await enter(carol, roomId);
    await Promise.all([alice, bob].map((client) => meets(client, roomId, carol)));
    const heard = await confides(alice, roomId, "Welcome, Carol.", bob, carol);
    await confides(carol, roomId, "Hello!", alice, bob);
    await carol.scrollback(carol.getRoom(roomId), 50);
    assert.match(await puzzles(carol, roomId, secret), /HISTORICAL_MESSAGE|UNKNOWN_INBOUND_SESSION/);

    // Who has left is not given the keys of what follows.
    await carol.leave(roomId);
    await until(alice, "carol's leaving", () => alice.getRoom(roomId).getMember(carol.getUserId()).membership === "leave");
    const unheard = await confides(alice, roomId, "She is gone.", bob);
    assert.notEqual(sessionOf(alice, roomId, unheard), sessionOf(alice, roomId, heard));
    const known = (await carol.getCrypto().exportRoomKeys()).map((key) => key.session_id);
    assert.ok(known.includes(sessionOf(alice, roomId, heard)));
    assert.ok(!known.includes(sessionOf(alice, roomId, unheard)));

    // A device is one more that reads, until it signs out.
    const tablet = await encrypting(server.url, "bob");
    const devices = async () => (await alice.getCrypto().getUserDeviceInfo([bob.getUserId()])).get(bob.getUserId());
    await knows(alice, tablet);
    const both = await confides(alice, roomId, "Both of you.", bob, tablet);
    await confides(tablet, roomId, "Both of us.", alice, bob);
    const gone = tablet.getDeviceId();
    await tablet.logout();
    await until(alice, "the tablet's end", async () => !(await devices()).has(gone));
    const one = await confides(alice, roomId, "One of you.", bob);
    assert.notEqual(sessionOf(alice, roomId, one), sessionOf(alice, roomId, both));
});

test("an encrypted file", { timeout: 300_000 }, async () => {
    const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => encrypting(server.url, name)));
    const roomId = await encryptedRoom(alice, bob);

    const plain = crypto.getRandomValues(new Uint8Array(60_000));
    const key = await crypto.subtle.generateKey({ name: "AES-CTR", length: 256 }, true, ["encrypt", "decrypt"]);
    const counter = crypto.getRandomValues(new Uint8Array(16)).fill(0, 8);
    const cipher = await crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 64 }, key, plain);
    const hash = async (bytes) => base64(await crypto.subtle.digest("SHA-256", bytes));
    const { content_uri: url } = await alice.uploadContent(new Blob([cipher]), { type: "application/octet-stream", includeFilename: false });
    const { event_id: id } = await alice.sendMessage(roomId, {
        msgtype: "m.file", body: "plan.txt",
        file: { v: "v2", url, key: await crypto.subtle.exportKey("jwk", key), iv: base64(counter), hashes: { sha256: await hash(cipher) } },
    });

    const { file } = (await reads(bob, roomId, id)).getContent();
    const address = bob.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
    assert.match(address, /\/_matrix\/client\/v1\/media\/download\//);
    const refused = await fetch(address);
    assert.equal(refused.status, 401);
    const response = await fetch(address, { headers: { Authorization: `Bearer ${bob.getAccessToken()}` } });
    assert.equal(response.status, 200);
    const received = await response.arrayBuffer();
    assert.equal(await hash(received), file.hashes.sha256);
    const algorithm = { name: "AES-CTR", counter: Buffer.from(file.iv, "base64"), length: 64 };
    const opener = await crypto.subtle.importKey("jwk", file.key, "AES-CTR", false, ["decrypt"]);
    assert.deepEqual(new Uint8Array(await crypto.subtle.decrypt(algorithm, opener, received)), plain);
});

/** Base64 without padding. */
function base64(bytes) {
    return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
