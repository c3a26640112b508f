// A browser, and the program whose pages it shows.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

/** Runs the program of this directory. Returns its URLs and what ends it. */
export async function startProgram() {
    const program = spawn(process.env.PAGES_BINARY, { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = await once(createInterface(program.stdout), "line");
    const stop = async () => {
        const ended = once(program, "exit");
        program.stdin.end();
        assert.deepEqual(await ended, [0, null]);
    };
    return { ...JSON.parse(line), stop };
}

/** Starts a browser. What goes wrong in its pages goes into faults. */
export async function startBrowser() {
    const data = await mkdtemp(join(tmpdir(), "homeserver-pages-"));
    const context = await chromium.launchPersistentContext(data, {
        executablePath: process.env.CHROMIUM,
        viewport: phone,
        timeout: patience,
        args: [
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
        ],
    });
    context.setDefaultTimeout(patience);
    const faults = [];
    context.on("console", (message) => {
        const refused = /^Failed to load resource: the server responded with a status of 4/.test(message.text());
        if (message.type() === "error" && !refused) faults.push(message.text());
    });
    context.on("weberror", (error) => faults.push(String(error.error())));
    const stop = async () => {
        await context.close();
        await rm(data, { recursive: true, maxRetries: 10 }); // processes of the browser may write a last thing
    };
    return { context, faults, stop };
}

const patience = 120_000; // milliseconds

const phone = { width: 390, height: 844 };
const narrow = { width: 320, height: 568 };
const desk = { width: 1280, height: 800 };

/**
 * Looks at a page as somebody with a phone, a desk or a screen reader does. With
 * SCREENSHOTS in the environment, a directory, it leaves pictures there.
 */
export async function look(page, name) {
    await page.waitForLoadState();
    await page.bringToFront();
    for (const [size, viewport] of Object.entries({ narrow, desk, phone })) {
        await page.setViewportSize(viewport);
        if (process.env.SCREENSHOTS && size !== "narrow") {
            await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${size}.png`) });
        }
        assert.deepEqual(await page.evaluate(flaws), [], `${name}, ${size}`);
    }
}

/** Returns what is wrong with the page it runs in. */
function flaws() {
    const found = [];
    const check = (ok, flaw) => ok || found.push(flaw);
    const root = document.documentElement;
    check(root.lang, "the page has no language");
    check(document.title, "the page has no title");
    check(document.querySelectorAll("h1").length === 1, "there is not one heading");
    check(document.querySelectorAll("main").length === 1, "there is not one main part");
    check(root.scrollWidth <= root.clientWidth, "it is wider than the screen");
    for (const input of document.querySelectorAll("main input:not([type=hidden])")) {
        check(input.labels.length === 1 && input.labels[0].textContent.trim(), `${input.name} has no label`);
    }
    for (const target of document.querySelectorAll("main input:not([type=hidden]), main button, main a")) {
        const { width, height } = target.getBoundingClientRect();
        check(width >= 24 && height >= 24, `${target.textContent || target.name} is hard to hit: ${width}x${height}`);
        check(target.tabIndex === 0, `${target.textContent || target.name} cannot be reached by keyboard`);
    }
    return found;
}
