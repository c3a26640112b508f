// Lets a person with a browser do what the pages ask for.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, test } from "node:test";

import { look, startBrowser, startProgram } from "./browser.mjs";

let program;
let browser;

before(async () => {
    program = await startProgram();
    browser = await startBrowser();
});

after(async () => {
    await browser?.stop();
    await program?.stop();
});

/** Sends a request as an app does. */
async function request(method, path, body, token) {
    const response = await fetch(`${program.homeserver}/_matrix/client/v3${path}`, {
        method,
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        body: body && JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
}

/** The last message to an address. */
const mail = async (address) => (await fetch(`${program.site}/mail?address=${encodeURIComponent(address)}`)).json();

/** Opens the page of a stage the way web apps do. Returns the app's page and the new one. */
async function openStage(stage, session) {
    const app = await browser.context.newPage();
    await app.goto(`${program.site}/app.html`);
    const opened = app.waitForEvent("popup");
    await app.evaluate((url) => void window.open(url), `${program.homeserver}/_matrix/client/v3/auth/${stage}/fallback/web?session=${session}`);
    const page = await opened;
    await page.waitForLoadState();
    return { app, page };
}

/** The page says that it is done, to the app too (UIA-29). */
async function isDone({ app, page }) {
    await page.getByRole("heading", { name: "Thank you" }).waitFor();
    await app.waitForFunction(() => window.heard.includes("authDone"));
    await look(page, "done");
    await page.close();
    await app.close();
}

const button = (page) => page.getByRole("main").getByRole("button");

/** Clicks on what leads to another page, and waits until that is there. */
async function follow(page, target) {
    const loaded = page.waitForEvent("load");
    await target.click();
    await loaded;
}

const submit = (page) => follow(page, button(page));

const refusal = (page) => page.getByRole("alert").textContent();

test("registration, stage by stage", async () => {
    const account = { username: "bob", password: "builder" };
    const challenge = await request("POST", "/register", account);
    assert.equal(challenge.status, 401);
    const { session, flows } = challenge.body;
    assert.equal(flows.length, 1);
    const steps = {
        "m.login.registration_token": async ({ page }) => {
            await page.getByLabel("token").fill("stranger");
            await submit(page);
            assert.match(await refusal(page), /token/);
            await look(page, "token-refused");
            await page.getByLabel("token").fill("friend");
            await submit(page);
        },
        "m.login.recaptcha": async ({ page }) => {
            await submit(page);
            assert.match(await refusal(page), /captcha/);
            await page.frameLocator("iframe").getByRole("checkbox").check();
            await page.getByTitle("captcha, solved").waitFor();
            await submit(page);
        },
        "m.login.terms": async ({ page }) => {
            const read = page.waitForEvent("popup");
            await page.getByRole("link", { name: "Privacy policy" }).click();
            await (await read).getByRole("heading", { name: "Be kind" }).waitFor();
            await submit(page);
        },
        "m.login.email.identity": async ({ page }) => {
            await page.getByLabel("E-mail address").fill("bob@example.com");
            await submit(page);
            await look(page, "email-sent");
            await submit(page);
            assert.ok(await refusal(page));
            const inbox = await browser.context.newPage();
            await inbox.goto((await mail("bob@example.com")).Link);
            await look(inbox, "email-link");
            await submit(inbox);
            await inbox.getByRole("heading", { name: "Thank you" }).waitFor();
            await look(inbox, "email-confirmed");
            await inbox.close();
            await submit(page);
        },
        "m.login.msisdn": async ({ page }) => {
            await page.getByLabel("Country").fill("GB");
            await page.getByLabel("Phone number").fill("447700900001");
            await submit(page);
            await page.getByLabel("Code").fill("000000");
            await submit(page);
            assert.ok(await refusal(page));
            await look(page, "msisdn-refused");
            await page.getByLabel("Code").fill((await mail("447700900001")).Code);
            await submit(page);
        },
    };
    assert.deepEqual(flows[0].stages.toSorted(), Object.keys(steps).toSorted());
    const done = [];
    for (const stage of flows[0].stages) {
        const windows = await openStage(stage, session);
        await look(windows.page, stage);
        await steps[stage](windows);
        await isDone(windows);
        done.push(stage);
        const polled = await request("POST", "/register", { ...account, auth: { session } });
        if (done.length < flows[0].stages.length) {
            assert.deepEqual(polled.body.completed, done);
        } else {
            assert.equal(polled.status, 200);
            assert.equal(polled.body.user_id, "@bob:example.org");
        }
    }
});

test("confirming with a password, in an app that shows pages itself", async () => {
    const login = await request("POST", "/login", { type: "m.login.password", identifier: { type: "m.id.user", user: "alice" }, password: "wonderland" });
    const token = login.body.access_token;
    const getToken = async (auth) => {
        const response = await fetch(`${program.homeserver}/_matrix/client/v1/login/get_token`, {
            method: "POST", headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify(auth ? { auth } : {}),
        });
        return response.json();
    };
    const { session } = await getToken();
    const page = await browser.context.newPage();
    const app = new EventEmitter();
    let times = 0;
    await page.exposeFunction("onAuthDone", () => void app.emit("done", ++times)); // UIA-29
    await page.goto(`${program.homeserver}/_matrix/client/r0/auth/m.login.password/fallback/web?session=${session}`); // UIA-28
    await look(page, "m.login.password");
    await page.getByLabel("Password").fill("wonderwall");
    await submit(page);
    assert.match(await refusal(page), /password/);
    await look(page, "password-refused");
    await page.getByLabel("Password").fill("wonderland");
    let done = once(app, "done");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Thank you" }).waitFor();
    assert.deepEqual(await done, [1]);
    await page.goto(`${program.homeserver}/_matrix/client/v3/auth/m.login.dummy/fallback/web?session=${session}`);
    await look(page, "m.login.dummy");
    done = once(app, "done");
    await submit(page);
    await page.getByRole("heading", { name: "Thank you" }).waitFor();
    assert.deepEqual(await done, [2]);
    assert.ok((await getToken({ session })).login_token);
    await page.goto(`${program.homeserver}/_matrix/client/v3/auth/m.login.dummy/fallback/web?session=unknown`);
    await look(page, "unknown-session");
    await page.close();
});

/** Chooses a provider and a person on the page. */
async function choose(page, provider, person) {
    await follow(page, page.getByRole("link", { name: provider }));
    await follow(page, page.getByRole("link", { name: person }));
}

test("single sign-on to an app, and confirming with it", async () => {
    const page = await browser.context.newPage();
    const app = `${program.site}/app.html?tea=yes&loginToken=old`;
    const redirect = `${program.homeserver}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(app)}`;
    await page.goto(redirect);
    await look(page, "sso-choice");
    await choose(page, "Red", "Mallory");
    await look(page, "sso-confirm");
    await submit(page);
    await page.waitForURL(`${program.site}/app.html?**`);
    const came = new URL(page.url()).searchParams; // SSO-9
    assert.equal(came.get("tea"), "yes");
    assert.equal(came.getAll("loginToken").length, 1);
    const login = await request("POST", "/login", { type: "m.login.token", token: came.get("loginToken") });
    assert.equal(login.body.user_id, "@mallory:example.org");

    await page.goto(redirect);
    await choose(page, "Blue", "I do not say");
    await look(page, "sso-denied");
    await page.goto(`${program.homeserver}/_matrix/client/v3/login/sso/redirect/green?redirectUrl=${encodeURIComponent(app)}`);
    await look(page, "sso-unknown"); // SSO-2
    await page.close();

    const device = `/devices/${login.body.device_id}`;
    const { session, flows } = (await request("DELETE", device, {}, login.body.access_token)).body;
    assert.deepEqual(flows, [{ stages: ["m.login.sso"] }]);
    for (const [person, accepted] of [["Bob", false], ["Mallory", true]]) {
        const windows = await openStage("m.login.sso", session);
        await look(windows.page, "m.login.sso");
        await choose(windows.page, "Red", person);
        if (accepted) {
            await look(windows.page, "m.login.sso-confirm");
            await submit(windows.page);
            await isDone(windows);
            continue;
        }
        if (await button(windows.page).count()) await submit(windows.page);
        assert.ok(await refusal(windows.page)); // UIA-15
        await look(windows.page, "m.login.sso-refused");
        await windows.page.close();
        await windows.app.close();
    }
    assert.equal((await request("DELETE", device, { auth: { session } }, login.body.access_token)).status, 200);
});

test("single sign-on to an app with a scheme of its own", async () => {
    const page = await browser.context.newPage();
    await page.goto(`${program.homeserver}/_matrix/client/v3/login/sso/redirect/red?redirectUrl=${encodeURIComponent("org.example.app://login")}`);
    await follow(page, page.getByRole("link", { name: "Mallory" }));
    // The browser does not get to see where it leads: it would ask the person at the
    // desktop which program knows the scheme, and now and then wait for the answer.
    const answered = new Promise((resolve) => page.route(/\/confirm$/, async (route) => {
        const answer = await route.fetch({ maxRedirects: 0 });
        await route.fulfill({ status: 204 });
        resolve(answer);
    }));
    await button(page).click();
    assert.match((await answered).headers().location, /^org\.example\.app:\/\/login\?loginToken=/);
    await page.close();
});

test("signing in on the page of the server", async () => {
    const page = await browser.context.newPage();
    const app = new EventEmitter();
    await page.exposeFunction("signedIn", (answer) => void app.emit("signedIn", answer));
    await page.addInitScript(() => (window.matrixLogin = { onLogin: (answer) => window.signedIn(answer) })); // LOGIN-19
    await page.goto(`${program.homeserver}/_matrix/static/client/login/?device_id=PHONE&initial_device_display_name=My%20phone&password=x`); // LOGIN-20
    await look(page, "login");
    await page.getByLabel("Username").fill("alice");
    await page.getByLabel("Password").fill("wonderwall");
    await button(page).click();
    assert.match(await refusal(page), /password/);
    await look(page, "login-refused");
    await page.getByLabel("Password").fill("wonderland");
    let signedIn = once(app, "signedIn");
    await button(page).click();
    let [answer] = await signedIn;
    assert.equal(answer.user_id, "@alice:example.org");
    assert.equal(answer.device_id, "PHONE");
    const devices = await request("GET", "/devices/PHONE", undefined, answer.access_token);
    assert.equal(devices.body.display_name, "My phone");
    signedIn = once(app, "signedIn"); // the page is the server's own: nothing is to be confirmed
    await choose(page, "Red", "Mallory");
    [answer] = await signedIn;
    assert.equal(answer.user_id, "@mallory:example.org");
    assert.equal(answer.device_id, "PHONE");
    assert.equal(new URL(page.url()).searchParams.get("loginToken"), null);
    await page.close();
});

test("signing in on the page of the server, for an older app and for none", async () => {
    for (const old of [true, false]) {
        const page = await browser.context.newPage();
        const app = new EventEmitter();
        await page.exposeFunction(old ? "onLogin" : "unheard", (answer) => void app.emit("signedIn", answer)); // LOGIN-19
        await page.goto(`${program.homeserver}/_matrix/static/client/login/`);
        await page.getByLabel("Username").fill("alice");
        await page.getByLabel("Password").fill("wonderland");
        const signedIn = old && once(app, "signedIn");
        await page.keyboard.press("Enter");
        if (old) assert.equal((await signedIn)[0].user_id, "@alice:example.org");
        else assert.match(await refusal(page), /no app/);
        await page.close();
    }
});

test("a link in a mail leads back to the app", async () => {
    const next = `${program.site}/app.html?from=mail`;
    const started = await request("POST", "/account/3pid/email/requestToken", { client_secret: "x", send_attempt: 1, email: "alice@example.com", next_link: next });
    assert.equal(started.status, 200);
    const page = await browser.context.newPage();
    await page.goto((await mail("alice@example.com")).Link);
    await submit(page);
    await page.waitForURL(next); // REG-20
    await page.goto((await mail("alice@example.com")).Link);
    await look(page, "link-used");
    await page.close();
});

test("nothing was blocked", () => assert.deepEqual(browser.faults, []));
