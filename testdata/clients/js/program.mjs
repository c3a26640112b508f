// The server under test: a program of its own, on a data directory.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Program {
    #process;
    #log = [];
    url;

    /** Runs the program that HOMESERVER_BINARY names until it serves, on any free port. */
    static async start(data) {
        const program = new Program();
        program.#process = spawn(
            process.env.HOMESERVER_BINARY,
            ["-listen", "127.0.0.1:0", "-name", "example.org", "-data", data, "-registration", "open", "-rate-limits=false"],
            { stdio: ["ignore", "ignore", "pipe"] },
        );
        process.once("exit", () => program.#process.kill("SIGKILL"));
        program.url = await new Promise((resolve, reject) => {
            createInterface(program.#process.stderr).on("line", (line) => {
                program.#log.push(line);
                const found = /msg=serve url=(\S+)/.exec(line);
                if (found) resolve(found[1]);
            });
            program.#process.once("exit", (status) => reject(new Error(`the program ends with ${status}:\n${program.#log.join("\n")}`)));
            program.#process.once("error", reject);
        });
        return program;
    }

    /** Ends the program gently; it must have logged no error. */
    async stop() {
        const ended = once(this.#process, "exit");
        this.#process.kill("SIGTERM");
        const [status] = await ended;
        if (status !== 0 || this.#log.some((line) => line.includes("level=ERROR"))) {
            throw new Error(`the program ends with ${status} and has logged:\n${this.#log.join("\n")}`);
        }
    }
}
