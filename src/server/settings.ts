import { WebSocketError } from "../base/errors.ts";
import { invalid, isRecord, readMembers, strangersIn } from "../base/option_values.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { type Extension, PermessageDeflate, permessageDeflate } from "../protocol/mod.ts";
import { moreThanCertificate, type TlsOptions } from "../transport/tls_options.ts";
import type { ListeningAddress, ListeningKind, TransportKind } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";
import { type ListenEntry, readTls } from "./listen_option.ts";
import { type OptionName, OPTIONS, readOption } from "./option_table.ts";
import { checkConcurrency, type ConnectionClass } from "../connection/option_readers.ts";
import type { OptionsOf } from "./options.ts";

type Values = { -readonly [Name in OptionName]: (typeof OPTIONS)[Name]["fallback"] };
/** Those that have the server or its connections in their types. */
type Typed =
  | "onRequest"
  | "onAccept"
  | "onConnect"
  | "onShutdown"
  | "onTick"
  | "onError"
  | "onSubscribe"
  | "onUnsubscribe"
  | "onTopicOpen"
  | "onTopicClose"
  | "selectSubprotocol";

/** A server's options as they were read, with the defaults filled in; some may be changed while it runs. */
export type Settings<S, C extends WebSocketConnection> =
  & Omit<Values, Typed | "connectionClass" | "version" | "versions">
  & Pick<OptionsOf<S, C>, Typed>
  & { connectionClass: ConnectionClass<C>; versions: NonNullable<Values["versions"]> };

/**
 * Reads what a server is given, each option once.
 *
 * @param options What it is given.
 * @returns The options that are set.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but an object, and for an unknown option.
 */
export function readGiven<S, C extends WebSocketConnection>(
  options: OptionsOf<S, C>,
): OptionsOf<S, C> {
  if (!isRecord(options)) throw invalid("the options", options, "an object");
  const names = Object.keys(OPTIONS);
  const [unknown] = strangersIn(options, names);
  if (unknown === undefined) return readMembers(options, names);
  throw new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot use option "${unknown}": there is none`);
}

/**
 * Checks a server's options and fills in the defaults.
 *
 * @param options The options that are set.
 * @returns The settings: a plain object, whose shape is the same for every server.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that names the option and what it takes.
 */
export function readSettings<S, C extends WebSocketConnection>(
  options: OptionsOf<S, C>,
): Settings<S, C> {
  const given = options as Readonly<Record<string, unknown>>;
  const names = Object.keys(OPTIONS) as OptionName[];
  // An object that is filled key by key becomes a slow dictionary, with so many keys; this does not.
  const values = Object.fromEntries(
    names.map((name) => [name, readOption(name, given[name])]),
  ) as Values;
  values.versions ??= values.version;
  checkTogether(values, given);
  checkConcurrency(values.messageOrder, given.maxConcurrentMessages);
  if (values.engine !== undefined && given.maxHistoryBytes !== undefined) {
    const takes = "nothing beside engine, which has its own: new MemoryEngine({ maxHistoryBytes })";
    throw invalid("maxHistoryBytes", given.maxHistoryBytes, takes);
  }
  return values as unknown as Settings<S, C>;
}

function checkTogether(
  { tls, listen, proxyProtocol, trustProxy }: Values,
  given: Readonly<Record<string, unknown>>,
): void {
  if (given.version !== undefined && given.versions !== undefined) {
    throw invalid("version", given.version, "nothing beside versions, which has all of them");
  }
  if (given.port !== undefined && listen?.some((it) => it.listener === undefined)) {
    throw invalid("port", given.port, "nothing beside listen, whose addresses have their own");
  }
  if (tls !== undefined && listen !== undefined) {
    throw invalid("tls", tls, "nothing beside listen: a listener has a certificate of its own");
  }
  if (proxyProtocol && trustProxy === undefined) {
    const takes = "trustProxy beside it, which says whose header to believe";
    throw invalid("proxyProtocol", true, takes);
  }
}

/**
 * Refuses options that a transport cannot heed: none is silently ignored.
 *
 * @param options The options that are set, which have been read.
 * @param settings What they mean.
 * @param transport The transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED that names the transport that can.
 */
export function checkSupported(
  options: object,
  settings: Pick<Values, "extensions" | "listen" | "proxyProtocol" | "tls">,
  transport: ListeningKind,
): void {
  checkExtensions(settings.extensions, transport);
  for (const [name, value] of Object.entries(options)) {
    const { need } = OPTIONS[name as OptionName];
    // What is turned off needs nothing.
    if (need === undefined || value === false) continue;
    if (!transport.capabilities[need.capability]) {
      throw unsupported(`use "${name}"`, transport.name, need.why);
    }
  }
  const { listen = [{ tls: settings.tls }], proxyProtocol } = settings;
  for (const entry of listen) {
    checkEntry(entry, transport);
    if (proxyProtocol) checkProxyProtocol(entry.tls !== undefined);
  }
}

/** Refuses what an engine cannot have of a listener. */
function checkEntry(entry: ListenEntry, { name, capabilities, listens }: ListeningKind): void {
  const { tls, path, reusePort, listener } = entry;
  if (listener !== undefined && !capabilities.listen) {
    throw unsupported('use "listen" for a listener', name, "its HTTP server makes its own");
  }
  if (reusePort && !listens.reusePort) {
    throw unsupported('use "reusePort"', name, "the runtime has it for its own tools only");
  }
  if (tls === undefined) return;
  if (path !== undefined && !listens.tlsOnPath) {
    throw unsupported('use "tls" with "path"', name, "its engine has no TLS on Unix sockets");
  }
  const missing = moreThanCertificate(tls).find((it) => !listens.tls.includes(it));
  if (missing !== undefined) {
    throw unsupported(`use "${missing}" in tls`, name, "its engine does not have it");
  }
}

/**
 * Reads a certificate that is to take the place of another.
 *
 * @param tls What was given.
 * @param transport The transport.
 * @param addresses Where the server listens.
 * @returns The certificate and its key.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but those, ERR_UNSUPPORTED where the engine keeps
 * its certificate, ERR_STATE where none is in use.
 */
export function readRenewal(
  tls: unknown,
  { name, listens }: ListeningKind,
  addresses: readonly ListeningAddress[],
): TlsOptions {
  const read = readTls(tls, "this certificate");
  if (!listens.renewal) {
    throw unsupported("renew a certificate", name, "its engine keeps the one that it began with");
  }
  const others = moreThanCertificate(read).filter((it) => it !== "passphrase");
  if (others.length > 0) {
    throw invalid(others[0], "…", "no change while the server runs: give cert, key and passphrase");
  }
  if (addresses.some(({ secure }) => secure)) return read;
  throw new WebSocketError(
    "ERR_STATE",
    "Cannot renew a certificate: the server does not listen with TLS. Start it with tls first.",
  );
}

/**
 * Refuses PROXY headers in front of TLS.
 *
 * @param secure Whether the listener speaks TLS.
 * @throws {WebSocketError} ERR_UNSUPPORTED that says what to do.
 */
export function checkProxyProtocol(secure: boolean): void {
  if (!secure) return;
  throw new WebSocketError(
    "ERR_UNSUPPORTED",
    "Cannot read PROXY headers with TLS: the header comes before the TLS handshake, which the runtime's listener begins at once. Let the proxy take TLS off.",
  );
}

/**
 * Refuses extensions that a transport's engine cannot run.
 *
 * @param extensions The extensions.
 * @param transport The transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED that names the transport that can.
 */
export function checkExtensions(extensions: readonly Extension[], transport: TransportKind): void {
  const { capabilities, name } = transport;
  if (capabilities.extensions) return;
  for (const extension of extensions) {
    const builtIn = extension instanceof PermessageDeflate;
    const why = !capabilities.compression
      ? "its engine has no extensions"
      : !builtIn
      ? "its engine has no extensions but permessage-deflate"
      : isTuned(extension)
      ? "its engine takes none of the parameters but contextTakeover"
      : undefined;
    if (why !== undefined) throw unsupported(`enable "${extension.name}"`, name, why);
  }
}

/**
 * Refuses a change of the extensions that a transport's engine would not notice.
 *
 * @param extensions The extensions that are to be.
 * @param transport The transport.
 * @param running Whether it runs.
 * @throws {WebSocketError} ERR_UNSUPPORTED that names the transport that can.
 */
export function checkExtensionChange(
  extensions: readonly Extension[],
  transport: TransportKind,
  running: boolean,
): void {
  checkExtensions(extensions, transport);
  const { name, capabilities } = transport;
  if (running && capabilities.compression && !capabilities.extensions) {
    throw unsupported("change extensions", name, "its engine was told of them at the start");
  }
}

function isTuned({ options }: PermessageDeflate): boolean {
  const { options: usual } = permessageDeflate({ contextTakeover: options.contextTakeover });
  return Object.entries(usual).some(([name, value]) =>
    options[name as keyof typeof options] !== value
  );
}
