// A server for all the tests of a file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";

import { Program } from "./program.mjs";
import { register } from "./person.mjs";

/** Serves, with accounts of these names, while the tests of the file run; its url is there when they do. */
export function serve(...names) {
    let program, data;
    const server = {
        /** Ends the program and starts it again, on the same data; its url is another one then. */
        async restart() {
            await program.stop();
            program = await Program.start(data);
            server.url = program.url;
        },
    };
    before(async () => {
        data = await mkdtemp(join(tmpdir(), "homeserver-"));
        program = await Program.start(data);
        server.url = program.url;
        await Promise.all(names.map((name) => register(server.url, name)));
    });
    after(async () => {
        await program.stop();
        await rm(data, { recursive: true });
    });
    return server;
}
