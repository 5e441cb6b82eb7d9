// Reads what is added to a text file that another process writes, perhaps on another host.
import { StringDecoder } from 'node:string_decoder';
import { readFrom } from '../system/files.ts';

export class FollowedFile {
  readonly #file: string;
  readonly #decoder = new StringDecoder('utf8');
  #offset = 0;
  #rest = '';

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Opens the file anew each time: that is when NFS asks the server what is in it (nfs(5), "close-to-open").
   * @param atEnd whether nobody writes any more: then the last line needs no line feed
   */
  async readNewLines(atEnd: boolean): Promise<string[]> {
    const bytes = await readFrom(this.#file, this.#offset);
    this.#offset += bytes.length;
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = lines.pop() ?? '';
    if (atEnd && this.#rest !== '') {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines;
  }
}
