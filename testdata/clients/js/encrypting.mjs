// A person with a client that encrypts, and what such persons do together.
import assert from "node:assert/strict";

import { createClient, RoomEvent } from "matrix-js-sdk";
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { password, session, start, until, watch } from "./person.mjs";

// The SDK waits for a random part of ten seconds before it saves keys.
Math.random = () => 0;

/**
 * Signs in on a new device that encrypts, with keys in memory. The safe is where
 * the user keeps the keys of the secret storage, from their IDs to the keys;
 * a user who has lost the recovery key comes with an empty one. The client goes
 * on until the process ends: the SDK fails when it is stopped in the middle.
 */
export async function encrypting(url, username, safe = new Map(), { options, ...settings } = {}) {
    const client = createClient({
        baseUrl: url,
        ...(await session(url, username)),
        cryptoCallbacks: {
            cacheSecretStorageKey: (id, _, key) => safe.set(id, key),
            getSecretStorageKey: async ({ keys }) => Object.keys(keys).filter((id) => safe.has(id)).map((id) => [id, safe.get(id)])[0] ?? null,
        },
        ...settings,
    });
    await client.initRustCrypto({ useIndexedDB: false });
    await start(client, options?.(client));
    // The user looks on: by itself the SDK decrypts the last event of a sync alone, and misses the steps of a verification before it.
    client.on(RoomEvent.Timeline, (event, _, toStart) => toStart || void client.decryptEventIfNeeded(event));
    return client;
}

/** Makes a room with end-to-end encryption and waits until the others are in it. */
export async function encryptedRoom(founder, ...others) {
    const { room_id: roomId } = await founder.createRoom({
        preset: "private_chat",
        invite: others.map((other) => other.getUserId()),
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    await Promise.all(others.map((other) => enter(other, roomId)));
    await Promise.all([founder, ...others].map((client) => meets(client, roomId, ...others)));
    return roomId;
}

/** Joins a room with encryption. */
export async function enter(client, roomId) {
    await client.joinRoom(roomId);
    await meets(client, roomId);
}

/** Waits until a client knows that a room has encryption, and who is in it. */
export function meets(client, roomId, ...others) {
    const joined = (other) => client.getRoom(roomId)?.getMember(other.getUserId())?.membership === "join";
    return until(client, "the encrypted room", async () =>
        others.every(joined) && client.getCrypto().isEncryptionEnabledInRoom(roomId));
}

/** Opens a room, up to its beginning, on a device that came too late for it. */
export async function opens(client, roomId) {
    await until(client, "the room", () => client.getRoom(roomId));
    await client.scrollback(client.getRoom(roomId), 50);
}

/** Waits for an event that was encrypted, and can be read. */
export function reads(client, roomId, eventId) {
    return until(client, `the text of ${eventId}`, () => {
        const event = shown(client, roomId, eventId);
        return event?.isEncrypted() && !event.isBeingDecrypted() && !event.isDecryptionFailure() && event.getClearContent() && event;
    });
}

/** Waits for an event that cannot be read, and tells why. */
export async function puzzles(client, roomId, eventId) {
    const failed = () => {
        const event = shown(client, roomId, eventId);
        return event?.isDecryptionFailure() && event;
    };
    return (await until(client, `the secrecy of ${eventId}`, failed)).decryptionFailureReason;
}

/** An event that has come, which is about to be shown: the SDK decrypts most events only then. */
function shown(client, roomId, eventId) {
    const event = client.getRoom(roomId)?.findEventById(eventId);
    if (event) void client.decryptEventIfNeeded(event);
    return event;
}

/** Says something that the others read and the server does not; returns its ID. */
export async function confides(client, roomId, text, ...others) {
    const { event_id: id } = await client.sendTextMessage(roomId, text);
    for (const other of [client, ...others]) {
        const event = await reads(other, roomId, id);
        assert.equal(event.getContent().body, text);
        assert.equal(event.getSender(), client.getUserId());
    }
    const { type, content } = await client.fetchRoomEvent(roomId, id);
    assert.equal(type, "m.room.encrypted");
    assert.deepEqual([content.algorithm, content.body], ["m.megolm.v1.aes-sha2", undefined]);
    return id;
}

/** The session that a message was encrypted in. */
export function sessionOf(client, roomId, eventId) {
    return client.getRoom(roomId).findEventById(eventId).getWireContent().session_id;
}

/** Makes requests that ask for the user's password in the middle of something; counts how often they did. */
export function authentication(client, answer = password) {
    const authenticate = async (request) => {
        let challenge;
        try {
            return await request(null);
        } catch (error) {
            if (error.httpStatus !== 401 || !error.data.flows) throw error;
            challenge = error.data;
        }
        assert.ok(challenge.flows.some(({ stages }) => stages.length === 1 && stages[0] === "m.login.password"));
        authenticate.asked++;
        return request({
            type: "m.login.password",
            identifier: { type: "m.id.user", user: client.getUserId() },
            password: answer,
            session: challenge.session,
        });
    };
    authenticate.asked = 0;
    return authenticate;
}

/** Gives a user an identity, kept in the secret storage, and a backup of keys if wanted. */
export async function settle(client, { setupNewKeyBackup = false } = {}) {
    const crypto = client.getCrypto();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: authentication(client) });
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: () => crypto.createRecoveryKeyFromPassphrase(), setupNewKeyBackup });
    assert.equal(await crypto.isCrossSigningReady(), true);
    await until(client, "the secret storage", () => crypto.isSecretStorageReady());
}

/** Waits until the server has as many keys as the client. */
export async function saves(client) {
    const crypto = client.getCrypto();
    await until(client, "the keys in the backup", async () => {
        const { count } = await client.http.authedRequest("GET", "/room_keys/version");
        return count === (await crypto.exportRoomKeys()).length;
    });
}

/** Lets a new device take over the user's identity from the secret storage. */
export async function recover(client) {
    const crypto = client.getCrypto();
    await until(client, "the identity", async () => {
        const own = (await crypto.getUserDeviceInfo([client.getUserId()])).get(client.getUserId());
        return own?.has(client.getDeviceId()) && crypto.userHasCrossSigningKeys();
    });
    await crypto.bootstrapCrossSigning({});
    assert.equal(await crypto.isCrossSigningReady(), true);
}

/**
 * Asks another to verify each other; returns the request as both sides have it. Each knows the
 * other's device by then: the SDK drops a request from a device of which it does not.
 */
export async function ask(asker, asked, request) {
    await Promise.all([knows(asker, asked), knows(asked, asker)]);
    let received;
    const event = CryptoEvent.VerificationRequestReceived;
    asked.once(event, (request) => (received = request));
    return Promise.all([
        request(asker.getCrypto()),
        watch(asked, [event], `${asked.getUserId()} waits in vain for a request`, () => received),
    ]);
}

/** Waits until a client has the keys of another's device. */
export function knows(client, other) {
    return until(client, `the keys of ${other.getUserId()} ${other.getDeviceId()}`, () =>
        client.getCrypto().getDeviceVerificationStatus(other.getUserId(), other.getDeviceId()));
}

/** Waits until a party to a verification has come to a phase of it. */
export function phase(party, phase) {
    return watch(party, [VerificationRequestEvent.Change], `no phase ${phase} but ${party.phase}`, () => party.phase === phase);
}

/** Scans the code that the party shows which has got the request. */
export async function scan(request, received) {
    await received.accept();
    await phase(request, VerificationPhase.Ready);
    const scanner = await request.scanQRCode(await received.generateQRCode());
    const scanned = scanner.verify();
    await phase(received, VerificationPhase.Started);
    const { verifier } = received;
    const shown = verifier.verify();
    const { confirm } = await watch(verifier, [VerifierEvent.ShowReciprocateQr], "no scan is noticed", () => verifier.getReciprocateQrCodeCallbacks());
    confirm();
    await Promise.all([scanned, shown, phase(request, VerificationPhase.Done), phase(received, VerificationPhase.Done)]);
}

/** Compares emoji: one party has made the request, the other has got it. Returns the emoji that both saw. */
export async function compare(request, received) {
    await received.accept();
    await phase(request, VerificationPhase.Ready);
    const verifier = await request.startVerification("m.sas.v1");
    await phase(received, VerificationPhase.Started);
    const verifiers = [verifier, received.verifier];
    const shown = verifiers.map((verifier) =>
        watch(verifier, [VerifierEvent.ShowSas], "no emoji are shown", () => verifier.getShowSasCallbacks()));
    const verified = Promise.all(verifiers.map((verifier) => verifier.verify()));
    const [one, other] = await Promise.race([Promise.all(shown), verified]);
    assert.equal(one.sas.emoji.length, 7);
    assert.deepEqual(one.sas, other.sas);
    await Promise.all([one.confirm(), other.confirm()]);
    await verified;
    await Promise.all([phase(request, VerificationPhase.Done), phase(received, VerificationPhase.Done)]);
    return one.sas.emoji;
}

/** A line between clients and the server; what is under way when it is cut arrives when it is mended. */
export class Line {
    #server;
    #whole = Promise.resolve();
    mend = () => {};

    /** It leads to the url of the server, wherever that is at the time. */
    constructor(server) {
        this.#server = server;
    }

    /** To be the fetchFn of a client. */
    fetch = async (url, options) => {
        await this.#whole;
        const { pathname, search } = new URL(url);
        const response = await fetch(this.#server.url + pathname + search, options);
        await this.#whole;
        return response;
    };

    cut() {
        this.#whole = new Promise((resolve) => (this.mend = resolve));
    }
}
