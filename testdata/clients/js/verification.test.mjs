// Lets the SDK that Element is made with find out who is who.
import assert from "node:assert/strict";
import { test } from "node:test";

import { VerificationPhase } from "matrix-js-sdk/lib/crypto-api/index.js";

import { ask, authentication, compare, confides, encryptedRoom, encrypting, knows, phase, puzzles, recover, scan, settle } from "./encrypting.mjs";
import { until } from "./person.mjs";
import { serve } from "./server.mjs";

const server = serve("alice", "bob");

/** Waits until a client has verified another user's identity and device. */
async function trusts(client, other) {
    const crypto = client.getCrypto();
    await until(client, `the verified ${other.getUserId()}`, async () => {
        const user = await crypto.getUserVerificationStatus(other.getUserId());
        const device = await crypto.getDeviceVerificationStatus(other.getUserId(), other.getDeviceId());
        return user.isCrossSigningVerified() && device?.isVerified() && device.signedByOwner && device.crossSigningVerified;
    });
}

test("verification", { timeout: 300_000 }, async (t) => {
    const safe = new Map();
    const [alice, bob] = await Promise.all([encrypting(server.url, "alice", safe), encrypting(server.url, "bob")]);
    await Promise.all([settle(alice, { setupNewKeyBackup: true }), settle(bob)]);
    const roomId = await encryptedRoom(alice, bob);
    await confides(alice, roomId, "Is that you?", bob);
    const devices = await alice.getCrypto().getUserDeviceInfo([bob.getUserId()]);
    assert.deepEqual([...devices.get(bob.getUserId()).keys()], [bob.getDeviceId()]);
    const unknown = await alice.getCrypto().getUserVerificationStatus(bob.getUserId());
    assert.equal(unknown.isVerified(), false);

    await t.test("of another user, in a room", async () => {
        const [request, received] = await ask(alice, bob, (crypto) => crypto.requestVerificationDM(bob.getUserId(), roomId));
        assert.equal(received.roomId, roomId);
        await compare(request, received);
        await Promise.all([trusts(alice, bob), trusts(bob, alice)]);
        await confides(bob, roomId, "It is me.", alice);
    });

    await t.test("of another user, refused", async () => {
        const [request, received] = await ask(bob, alice, (crypto) => crypto.requestVerificationDM(alice.getUserId(), roomId));
        await received.cancel();
        await phase(request, VerificationPhase.Cancelled);
        assert.equal(request.cancellationCode, "m.user");
        assert.equal(request.cancellingUserId, alice.getUserId());
    });

    await t.test("of a new device, which gets the secrets", async () => {
        // It does not know the recovery key.
        const tablet = await encrypting(server.url, "alice");
        const before = await tablet.getCrypto().getCrossSigningStatus();
        assert.deepEqual(before.privateKeysCachedLocally, { masterKey: false, selfSigningKey: false, userSigningKey: false });
        assert.equal(await tablet.getCrypto().userHasCrossSigningKeys(), true);

        const [request, received] = await ask(tablet, alice, (crypto) => crypto.requestOwnUserVerification());
        assert.equal(received.isSelfVerification, true);
        await compare(request, received);
        await Promise.all([trusts(alice, tablet), trusts(tablet, alice), trusts(bob, tablet)]);

        await until(tablet, "the secrets", async () => {
            const { privateKeysCachedLocally: keys } = await tablet.getCrypto().getCrossSigningStatus();
            return keys.masterKey && keys.selfSigningKey && keys.userSigningKey;
        });
        await until(tablet, "the key of the backup", () => tablet.getCrypto().getSessionBackupPrivateKey());
        await trusts(tablet, bob);
        await confides(tablet, roomId, "From my tablet.", alice, bob);
    });

    await t.test("of a new device, which knows the recovery key", async () => {
        const phone = await encrypting(server.url, "alice", safe);
        await recover(phone);
        await Promise.all([trusts(alice, phone), trusts(phone, alice), trusts(bob, phone), trusts(phone, bob)]);
    });

    await t.test("of a new device, whose code is scanned", async () => {
        const verificationMethods = ["m.qr_code.show.v1", "m.qr_code.scan.v1", "m.reciprocate.v1"];
        const laptop = await encrypting(server.url, "alice", new Map(), { verificationMethods });
        const [request, received] = await ask(alice, laptop, (crypto) =>
            crypto.requestDeviceVerification(alice.getUserId(), laptop.getDeviceId()));
        await scan(request, received);
        await Promise.all([trusts(alice, laptop), trusts(laptop, alice), trusts(bob, laptop)]);
    });

    await t.test("of a device that its owner does not vouch for", async () => {
        const stranger = await encrypting(server.url, "alice");
        const status = (client) => client.getCrypto().getDeviceVerificationStatus(alice.getUserId(), stranger.getDeviceId());
        for (const client of [alice, bob]) {
            await knows(client, stranger);
            assert.equal((await status(client)).isVerified(), false);
        }

        // It is told that it is not told.
        bob.getCrypto().globalBlacklistUnverifiedDevices = true;
        const secret = await confides(bob, roomId, "Who is that?", alice);
        assert.equal(await puzzles(stranger, roomId, secret), "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE");
        await alice.getCrypto().crossSignDevice(stranger.getDeviceId());
        await until(bob, "the signature", async () => (await status(bob)).isVerified());
        await confides(bob, roomId, "I see.", alice, stranger);
        bob.getCrypto().globalBlacklistUnverifiedDevices = false;
    });

    await t.test("of an identity that is made anew", async () => {
        const { version } = await alice.getCrypto().getKeyBackupInfo();
        const authenticate = authentication(alice);
        await alice.getCrypto().resetEncryption(authenticate);
        assert.equal(authenticate.asked, 1, "the old keys are replaced without the password");
        await until(bob, "the new identity", async () => {
            const status = await bob.getCrypto().getUserVerificationStatus(alice.getUserId());
            return !status.isCrossSigningVerified() && status.wasCrossSigningVerified() && status.needsUserApproval;
        });
        await bob.getCrypto().withdrawVerificationRequirement(alice.getUserId());
        assert.equal((await bob.getCrypto().getUserVerificationStatus(alice.getUserId())).needsUserApproval, false);
        assert.equal(await alice.secretStorage.getDefaultKeyId(), null);
        await until(alice, "the new backup", async () => {
            const active = await alice.getCrypto().getActiveSessionBackupVersion();
            return active !== null && active !== version;
        });

        await settle(alice);
        const [request, received] = await ask(bob, alice, (crypto) => crypto.requestVerificationDM(alice.getUserId(), roomId));
        await compare(request, received);
        await Promise.all([trusts(alice, bob), trusts(bob, alice)]);
        await confides(alice, roomId, "Me again.", bob);
    });
});
