// A person with a client that syncs.
import { ClientEvent, createClient, MatrixEventEvent, RoomEvent } from "matrix-js-sdk";
import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

// What goes wrong fails the test; of the rest the SDK has a lot to tell.
for (const level of ["trace", "debug", "info", "warn", "error"]) console[level] = () => {};

export const password = "correct horse battery staple";

/** Makes an account, without signing in. */
export async function register(url, username) {
    const client = createClient({ baseUrl: url });
    const request = { username, password, inhibit_login: true };
    let session;
    try {
        await client.registerRequest(request);
        throw new Error("registration asks for no authentication");
    } catch (error) {
        if (error.httpStatus !== 401) throw error;
        session = error.data.session;
    }
    return client.registerRequest({ ...request, auth: { type: "m.login.dummy", session } });
}

/** Signs in on a new device, without syncing. */
export async function session(url, username) {
    const { user_id: userId, access_token: accessToken, device_id: deviceId } = await createClient({ baseUrl: url }).loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: username },
        password,
        initial_device_display_name: "matrix-js-sdk",
    });
    return { userId, accessToken, deviceId };
}

/** Signs in on a new device and waits for the first sync. */
export async function login(url, username) {
    return connect(url, await session(url, username));
}

/** Signs in on a new device with the settings of Element, and waits for the first sync. */
export async function arrive(url, username, options) {
    const client = createClient({ baseUrl: url, timelineSupport: true, ...(await session(url, username)) });
    return start(client, { lazyLoadMembers: true, threadSupport: true, pendingEventOrdering: "detached", ...options });
}

/** Goes on with a session. */
export function connect(url, session) {
    return start(createClient({ baseUrl: url, ...session }));
}

/** Lets a client sync and waits for the first time. */
export async function start(client, options) {
    await client.startClient({ initialSyncLimit: 5, disablePresence: true, ...options });
    await until(client, "the first sync", () => client.isInitialSyncComplete());
    return client;
}

/** Waits until something holds, which is asked again whenever the client learns something. */
export function until(client, what, holds) {
    return watch(client, news, `${client.getUserId()} waits in vain for ${what}`, holds);
}

const news = [
    ClientEvent.AccountData, ClientEvent.Event, ClientEvent.Sync, RoomEvent.LocalEchoUpdated, RoomEvent.MyMembership, RoomEvent.Redaction,
    RoomEvent.Timeline, MatrixEventEvent.Decrypted, MatrixEventEvent.Replaced, CryptoEvent.DevicesUpdated, CryptoEvent.KeysChanged,
    CryptoEvent.KeyBackupDecryptionKeyCached, CryptoEvent.KeyBackupSessionsRemaining, CryptoEvent.KeyBackupStatus,
    CryptoEvent.UserTrustStatusChanged,
];

/** Waits until something holds, which may be a promise, and is asked again at each of these events of an emitter. */
export async function watch(emitter, events, complaint, holds) {
    let timer, ring;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(complaint)), 120_000)));
    const listen = () => ring();
    for (const event of events) emitter.on(event, listen);
    try {
        for (;;) {
            const rung = new Promise((resolve) => (ring = resolve));
            const value = await Promise.race([holds(), late]);
            if (value) return value;
            await Promise.race([rung, late]);
        }
    } finally {
        clearTimeout(timer);
        for (const event of events) emitter.off(event, listen);
    }
}

/** Waits for an event by its ID. */
export function hears(client, roomId, eventId) {
    return until(client, eventId, () => client.getRoom(roomId)?.findEventById(eventId));
}

/** Pages back through a room, a few events at a time, and returns all of it, the oldest first. */
export async function history(client, roomId) {
    const room = client.getRoom(roomId);
    while (room.oldState.paginationToken !== null) await client.scrollback(room, 4);
    return room.getLiveTimeline().getEvents();
}
