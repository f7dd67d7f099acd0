import { createPrivateKey, X509Certificate } from "node:crypto";
import { messageOf, WebSocketError } from "../base/errors.ts";
import type { ListeningAddress, ListenOptions, Transport } from "../transport/transport.ts";
import type { TlsOptions } from "../transport/tls_options.ts";

interface Running {
  readonly transport: Transport;
  /** Where it listens: with the port that the system chose. */
  readonly options: ListenOptions;
  readonly address: ListeningAddress;
  /** What nobody else in this program may listen on. */
  readonly place: Place | undefined;
}

/**
 * The listeners of one server, each a transport of its own. Either all of them are started or none.
 */
export class Listeners {
  readonly #make: () => Transport;
  #running: Running[] = [];
  // They have been told to stop; their connections may live on.
  #stopped: Transport[] = [];

  /** @param make Makes a transport. */
  constructor(make: () => Transport) {
    this.#make = make;
  }

  /** What the runtime calls the listening socket; several in an array. */
  get native(): unknown {
    const all = this.#running.map(({ transport }) => transport.listener);
    return all.length > 1 ? all : all[0];
  }

  /** Where they listen. */
  get addresses(): readonly ListeningAddress[] {
    return this.#running.map(({ address }) => address);
  }

  /**
   * Starts them all.
   *
   * @param all Where to listen.
   * @param check Looks at each, once its listener is known; may throw.
   * @returns The first address.
   * @throws {WebSocketError} ERR_LISTEN when one cannot be started: the others are stopped, and are still to be
   * told to {@linkcode Listeners.end}.
   */
  async start(
    all: readonly ListenOptions[],
    check: (address: ListeningAddress) => void,
  ): Promise<ListeningAddress> {
    try {
      for (const options of all) check(await this.#start(options));
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this.#running[0].address;
  }

  async #start(options: ListenOptions): Promise<ListeningAddress> {
    const asked = placeOf(options);
    if (asked !== undefined && places.has(asked)) throw held(asked);
    const transport = this.#make();
    let address: ListeningAddress;
    // Another start may be under way at the same time.
    if (asked !== undefined) places.add(asked);
    try {
      if (options.tls !== undefined) checkCertificate(options.tls);
      address = await transport.listen(options);
    } catch (error) {
      if (asked !== undefined) places.delete(asked);
      throw error instanceof WebSocketError ? error : listenError(error, options);
    }
    const known = options.path === undefined && options.listener === undefined
      ? { ...options, port: address.port }
      : options;
    const place = asked ?? placeOf(known);
    if (place !== undefined) places.add(place);
    this.#running.push({ transport, options: known, address, place });
    return address;
  }

  /**
   * Has those that speak TLS by our options show another certificate. Each is stopped, and at once another one
   * is started in its place; connections stay as they are.
   *
   * @param tls The certificate and its key.
   * @throws {WebSocketError} ERR_LISTEN when they cannot be used: nothing changes.
   */
  async renew(tls: Pick<TlsOptions, "cert" | "key" | "passphrase">): Promise<void> {
    try {
      checkCertificate(tls);
    } catch (error) {
      const why = (error as Error).message;
      throw new WebSocketError("ERR_LISTEN", `Cannot renew the certificate: ${why}`, error);
    }
    for (const running of [...this.#running]) {
      const { options } = running;
      if (options.tls === undefined) continue;
      await this.#halt(running);
      // An encrypted key comes with its passphrase; another one needs none.
      const { passphrase } = tls;
      const renewed = { ...options.tls, passphrase, ...tls };
      await this.#start({ ...options, tls: renewed });
      // Addresses stay in their order.
      this.#running.splice(this.#running.indexOf(running), 1, this.#running.pop()!);
    }
  }

  async #halt({ transport, place }: Running): Promise<void> {
    if (place !== undefined) places.delete(place);
    this.#stopped.push(transport);
    await transport.stop();
  }

  /** Stops to accept; connections that there are stay. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map((it) => this.#halt(it)));
  }

  /** Lets go of the rest. */
  async end(): Promise<void> {
    const stopped = this.#stopped;
    this.#stopped = [];
    await Promise.all(stopped.map((it) => it.end?.()));
  }
}

/**
 * Where servers of this program listen. Code that was reloaded within its process finds out here that the code
 * before it still does, also where the runtime hands the listener on without a word.
 */
const PLACES = Symbol.for("@duet/websocket: where servers listen");
const places: Set<Place> = (globalThis as { [PLACES]?: Set<Place> })[PLACES] ??= new Set();

/** An address, or a listener of the caller's own: two would both serve each of its sockets. */
type Place = string | object;

function placeOf({ hostname, port, path, reusePort, listener }: ListenOptions): Place | undefined {
  // A function makes a listener whenever it is called.
  if (listener !== undefined) return typeof listener === "object" ? listener! : undefined;
  if (reusePort) return undefined;
  if (path !== undefined) return path;
  return port === 0 ? undefined : `${hostname ?? "0.0.0.0"}:${port}`;
}

const RELOADED =
  "When code is reloaded, shut its server down first: the guide has the two lines under “Reloading”.";

function held(place: Place): WebSocketError {
  return new WebSocketError(
    "ERR_LISTEN",
    typeof place === "string"
      ? `Cannot listen on ${place}: the address is in use by another server of this program. ${RELOADED}`
      : "Cannot listen on a listener that serves already: give it once, to one server.",
  );
}

/** Looks at a certificate and its key before a listener is given up for them. */
function checkCertificate({ cert, key, passphrase }: TlsOptions): void {
  try {
    const privateKey = createPrivateKey(
      passphrase === undefined ? key : { key, passphrase, format: "pem" },
    );
    if (new X509Certificate(cert).checkPrivateKey(privateKey)) return;
  } catch (error) {
    throw new TypeError(unreadable(error), { cause: error });
  }
  throw new TypeError(unreadable("the key is that of another"));
}

function unreadable(cause: unknown): string {
  const given = "Give both as PEM texts, and the passphrase of a key that is encrypted.";
  return `the certificate or its key cannot be read (${messageOf(cause)}). ${given}`;
}

function listenError(cause: unknown, options: ListenOptions): WebSocketError {
  const { hostname, port, path, tls } = options;
  const { code, message } = cause as { code?: string; message?: string };
  const reason = code === "EADDRINUSE"
    ? path === undefined
      ? `the port is in use. Choose another, or 0 to let the system choose. ${RELOADED}`
      : `there is such a file. If no other server runs there, remove it. ${RELOADED}`
    : code === "ENOENT" && path !== undefined
    ? "there is no such folder. Make it first."
    : code === "EACCES"
    ? path === undefined
      ? "it is not permitted. Choose a port above 1023."
      : "it is not permitted. Choose a folder that this program may write to."
    : code === "EADDRNOTAVAIL"
    ? "this machine has no such address."
    : tls !== undefined && !(cause instanceof TypeError) &&
        /PEM|certificate|key|ASN|SSL/i.test(`${code} ${message}`)
    ? unreadable(cause)
    : `${message ?? cause}`;
  const where = path ?? `${hostname ?? "0.0.0.0"}:${port}`;
  return new WebSocketError("ERR_LISTEN", `Cannot listen on ${where}: ${reason}`, cause);
}
