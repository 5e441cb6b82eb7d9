// The files of one package, one after the other in a single file: what only goes into an image needs no inode of its own.
import fs from 'node:fs';
import { noteRoom } from './disk-room.ts';
import type { MemberWriter } from './tree-writer.ts';

/** Where the bytes of one file are in a spool. */
export interface Span {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Keeps bytes only: modes, times and links are the caller's to remember. */
export class SpoolWriter implements MemberWriter {
  readonly spans = new Map<string, Span>();
  readonly #spool: string;
  readonly #descriptor: number;
  #end = 0;

  /** @param spool does not exist yet */
  constructor(spool: string) {
    this.#spool = spool;
    try {
      this.#descriptor = fs.openSync(spool, 'wx', 0o600);
    } catch (error) {
      throw noteRoom(error, spool);
    }
  }

  file(relative: string, data: Uint8Array): void {
    const file = this.newFile(relative);
    file.write(data);
    file.close();
  }

  /** One at a time. */
  newFile(relative: string): ReturnType<MemberWriter['newFile']> {
    if (this.spans.has(relative)) throw new Error(`${relative} is in ${this.#spool} already`);
    const offsetBytes = this.#end;
    return {
      write: (data) => {
        this.#write(data);
      },
      close: () => {
        this.spans.set(relative, { offsetBytes, sizeBytes: this.#end - offsetBytes });
      },
    };
  }

  link(): void {
    // The plan knows its target.
  }

  hardLink(relative: string, existing: string): void {
    const span = this.spans.get(existing);
    if (!span) throw new Error(`${existing} is not in ${this.#spool}`);
    this.spans.set(relative, span);
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #write(data: Uint8Array): void {
    try {
      for (let done = 0; done < data.length;) done += fs.writeSync(this.#descriptor, data, done);
    } catch (error) {
      throw noteRoom(error, this.#spool);
    }
    this.#end += data.length;
  }
}
