// A person with a client that syncs.
import { ClientEvent, createClient, MatrixEventEvent, RoomEvent } from "matrix-js-sdk";
import loglevel from "loglevel";

// What goes wrong fails the test; of the rest there is a lot.
for (const logger of Object.values(loglevel.getLoggers())) logger.setLevel("silent");

const password = "correct horse battery staple";

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

/** Signs in on a new device and waits for the first sync. */
export async function login(url, username) {
    const { user_id: userId, access_token: accessToken, device_id: deviceId } = await createClient({ baseUrl: url }).loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: username },
        password,
        initial_device_display_name: "matrix-js-sdk",
    });
    return connect(url, { userId, accessToken, deviceId });
}

/** Goes on with a session. */
export async function connect(url, session) {
    const client = createClient({ baseUrl: url, ...session });
    await client.startClient({ initialSyncLimit: 5, disablePresence: true });
    await until(client, "the first sync", () => client.isInitialSyncComplete());
    return client;
}

/** Waits until something holds, which is asked again whenever the client learns something. */
export async function until(client, what, holds) {
    const events = [
        ClientEvent.Sync, ClientEvent.Event, RoomEvent.Timeline, RoomEvent.LocalEchoUpdated, RoomEvent.MyMembership,
        RoomEvent.Redaction, MatrixEventEvent.Replaced,
    ];
    const value = holds();
    if (value) return value;
    return new Promise((resolve, reject) => {
        const finish = (settle, result) => {
            clearTimeout(timer);
            for (const event of events) client.off(event, check);
            settle(result);
        };
        const check = () => {
            const value = holds();
            if (value) finish(resolve, value);
        };
        const timer = setTimeout(() => finish(reject, new Error(`${client.getUserId()} waits in vain for ${what}`)), 30_000);
        for (const event of events) client.on(event, check);
    });
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
