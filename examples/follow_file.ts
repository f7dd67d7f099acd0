import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";

/** How often a file that has nothing new is looked at. */
const LOOK_MS = 100;

/**
 * What is appended to a file from now on, as `tail -f` shows it. A file that became shorter is read from
 * its beginning, since it was emptied. The file is looked at only while somebody wants to read.
 */
export class FollowedFile extends Readable {
  readonly #path: string;
  #file: FileHandle | undefined;
  #position = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#open().then(() => done(), done);
  }

  async #open(): Promise<void> {
    this.#file = await open(this.#path);
    this.#position = (await this.#file.stat()).size;
  }

  override _read(size: number): void {
    this.#readOn(size).catch((error) => this.destroy(error));
  }

  async #readOn(size: number): Promise<void> {
    const file = this.#file!;
    const chunk = new Uint8Array(size);
    const { bytesRead } = await file.read(chunk, 0, size, this.#position);
    if (this.destroyed) return;
    if (bytesRead > 0) {
      this.#position += bytesRead;
      this.push(chunk.subarray(0, bytesRead));
      return;
    }
    if ((await file.stat()).size < this.#position) this.#position = 0;
    if (!this.destroyed) this.#timer = setTimeout(() => this._read(size), LOOK_MS);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    (this.#file?.close() ?? Promise.resolve()).then(() => done(error), done);
  }
}
