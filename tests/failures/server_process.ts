import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Running } from "./setting.ts";
import type { Account, Delivery, Publishing } from "./account.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A server of the failure suite, whose subscribers are in the account for as long as it runs. */
export class FailureServer {
  readonly #subscribers: readonly string[];
  readonly #account: Account;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, ((value: unknown) => void)[]>();
  #killed = false;

  constructor(
    runtime: "deno" | "bun",
    name: string,
    setting: string,
    { address }: Running,
    account: Account,
  ) {
    this.#subscribers = [`${name}1`, `${name}2`];
    this.#account = account;
    for (const subscriber of this.#subscribers) account.seat(subscriber);
    const program = `${root}node_modules/.bin/${runtime}`;
    const flags = runtime === "deno" ? ["run", "-A", "--no-check"] : ["run"];
    const script = fileURLToPath(new URL("server.ts", import.meta.url));
    const args = [name, setting, JSON.stringify(address), ...this.#subscribers];
    this.#child = spawn(program, [...flags, script, ...args], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
      // Its own group: what the program starts ends with it.
      detached: true,
    });
    this.#child.stdin!.on("error", () => {});
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#hear(line));
  }

  /** Sends a line, if any, and waits for the next answer of a kind. */
  ask(answer: string, line?: string): Promise<unknown> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(answer);
      if (waiting === undefined) this.#waiting.set(answer, [resolve]);
      else waiting.push(resolve);
      if (line !== undefined) this.say(line);
    });
  }

  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Ends it as a crash does: nobody says good-bye. */
  async kill(): Promise<void> {
    this.#killed = true;
    for (const subscriber of this.#subscribers) this.#account.leave(subscriber);
    const gone = once(this.#child, "exit");
    process.kill(-this.#child.pid!, "SIGKILL");
    await gone;
  }

  #hear(line: string): void {
    if (this.#killed) return;
    const [kind, what] = JSON.parse(line);
    if (kind === "deliver") this.#account.deliver(what as Delivery);
    else if (kind === "interrupt") this.#account.interrupt(what as string);
    else if (kind === "publish") this.#account.publish(what as Publishing);
    else this.#waiting.get(kind)?.shift()?.(what);
  }
}
