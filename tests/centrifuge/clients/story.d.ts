/** What a client did, how it came back, and what it heard. */
export interface Told {
  readonly name: string;
  /** All there is to do; once. */
  readonly did?: object;
  /** Whether it recovered, each time that it came back. */
  readonly back?: boolean;
  /** Everything, at the end. */
  readonly heard?: number[];
}

export function story(
  Centrifuge: unknown,
  websocket: unknown,
  cell: { name: string; url: string; codec: "JSON" | "protobuf" },
  say: (told: Told) => void,
): Promise<void>;
