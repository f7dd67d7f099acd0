import type { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Clock } from "../topics/clock.ts";
import type { Clients, OwnClient } from "./client.ts";
import { Connection, isReply, text } from "./connection.ts";
import { readServerInfo } from "./options.ts";
import * as scripts from "./scripts.ts";

/** Redis does not write any more: another one has taken its place. */
const DEMOTED = /^(?:READONLY|MASTERDOWN|LOADING)/;

/** Whom the connection for commands tells. */
export interface CommandsHost {
  readonly clock: Clock;
  up(): void;
  down(error: Error): boolean;
  /** This Redis is not the one to talk to any more. */
  demoted(error: Error): void;
}

/** The connection for everything but subscriptions. */
export class Commands {
  readonly #host: CommandsHost;
  readonly #clients: Clients;
  readonly #connection: Connection;
  #server = "";
  /** This connection as Redis names it, to end it from the next one; "" where it does not say. */
  #self = "";
  /** The Redis of which the connection before this one has ended. */
  #over = "";
  /** How far Redis's clock is ahead of this one, in milliseconds. */
  #ahead = 0;

  /**
   * @param clients Makes the client.
   * @param host Whom to tell.
   */
  constructor(clients: Clients, host: CommandsHost) {
    this.#clients = clients;
    this.#host = host;
    this.#connection = new Connection({
      clock: host.clock,
      manyNodes: clients.isCluster,
      open: () => clients.forCommands(),
      greet: (client) => this.#greet(client),
      probe: (client) => this.#readClock(client),
      up: () => host.up(),
      down: (error) => host.down(error),
    });
  }

  /** Whether commands can be sent. */
  get up(): boolean {
    return this.#connection.up;
  }

  /** Names the Redis that it talks to, or talked to last; another one after each start. */
  get server(): string {
    return this.#server;
  }

  /** How long Redis took to answer, or has not answered for, in seconds. */
  get lag(): number {
    return this.#connection.lag / 1000;
  }

  /** Connects. */
  start(): void {
    this.#connection.start();
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    this.#connection.drop(error);
  }

  /** Ends it. */
  close(): void {
    this.#connection.close();
  }

  /**
   * Runs a script.
   *
   * @param script The script.
   * @param keys Its keys, all of them with one hash tag where there are many nodes.
   * @param args Its arguments.
   * @returns What it answers. Rejects with what Redis answers, or with {@linkcode ConnectionLost}.
   */
  run<T = unknown>(
    script: scripts.Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<T> {
    const rest = [keys.length, ...keys, ...args];
    return this.#connection.call<T>((client) => client.callBuffer("evalsha", script.sha, ...rest))
      .catch((error) => {
        if (!isReply(error)) throw error;
        // Somebody has emptied the cache of scripts, or this is a node that has just joined.
        if (error.message.startsWith("NOSCRIPT")) {
          return this.#connection.call<T>((it) => it.callBuffer("eval", script.source, ...rest));
        }
        if (DEMOTED.test(error.message)) this.#host.demoted(error);
        throw error;
      });
  }

  /**
   * Waits until commands can be sent.
   *
   * @param time For how long, in milliseconds.
   * @returns Whether they can.
   */
  whenUp(time: number): Promise<boolean> {
    return this.#connection.whenUp(time);
  }

  /**
   * Gives the time of Redis.
   *
   * @param time A time of this machine.
   * @returns What Redis's clock said then, as far as known.
   */
  engineTime(time: number): number {
    return Math.round(time + this.#ahead);
  }

  /**
   * Tells whether nothing that was sent before this connection can still be done.
   *
   * @param server The Redis that it was sent to.
   * @returns Whether the connection before this one was to the same Redis, and has ended there.
   */
  isOver(server: string): boolean {
    return server !== "" && this.#over === server && this.#server === server;
  }

  /**
   * Gives what scripts begin a topic with.
   *
   * @returns A new epoch, of 16 characters, and as many of which Redis this is: "*" where there are many.
   */
  fresh(): string {
    const run = this.#clients.isCluster ? "*" : this.#server.slice(0, 16);
    return randomBytes(12).toString("base64url") + run;
  }

  async #greet(client: OwnClient): Promise<void> {
    const before = { server: this.#server, self: this.#self };
    const { run } = readServerInfo(text(await client.callBuffer("info", "server")));
    if (this.#clients.isCluster) {
      const error = this.#clients.clusterError();
      if (error !== null) throw error;
    } else {
      this.#over = before.server === run && await end(client, before.self) ? run : "";
      const self = await answerOf(client.callBuffer("client", "info"));
      const [id, addr] = ["id", "addr"].map((name) =>
        new RegExp(`(?:^| )${name}=(\\S+)`).exec(self)?.[1]
      );
      this.#self = id && addr ? `${id} ${addr}` : "";
      await Promise.all(
        Object.values(scripts).map(({ source }) => client.callBuffer("script", "load", source)),
      );
    }
    this.#server = run;
    await this.#readClock(client);
  }

  async #readClock(client: OwnClient): Promise<void> {
    const asked = this.#host.clock.now();
    const [seconds, micros] = (await client.callBuffer("time") as Buffer[]).map(Number);
    const took = this.#host.clock.now() - asked;
    // A late answer tells little of what the time is.
    if (took > 1_000 && this.#server !== "") return;
    this.#ahead = seconds * 1000 + micros / 1000 - asked - took / 2;
  }
}

/**
 * Ends the connection before: what it has sent and Redis has not read yet must not be done after what this
 * one sends.
 */
async function end(client: OwnClient, self: string): Promise<boolean> {
  if (self === "") return false;
  const [id, addr] = self.split(" ");
  return await answerOf(client.callBuffer("client", "kill", "id", id, "addr", addr)) !== "";
}

/** An answer as text; "" for an error: a user may not be allowed to ask. */
async function answerOf(asked: Promise<unknown>): Promise<string> {
  try {
    return String(await asked);
  } catch (error) {
    if (isReply(error)) return "";
    throw error;
  }
}
