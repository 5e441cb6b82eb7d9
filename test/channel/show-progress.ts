// Shows the events of long work: one line that changes on a terminal, lines elsewhere.
import type { WriteStream } from 'node:tty';
import type { Report } from '../../src/system/events.ts';

export function showProgress(stream: Pick<WriteStream, 'write'> & { readonly isTTY?: boolean }): Report {
  return (event) => {
    if (event.type === 'note' || event.type === 'warning') stream.write(`${event.text}\n`);
    if (event.type !== 'progress') return;
    const { done, total, stage } = event;
    if (stream.isTTY) {
      const filled = Math.round((30 * done) / total);
      const bar = `${'#'.repeat(filled)}${'.'.repeat(30 - filled)}`;
      stream.write(`\r[${bar}] ${done}/${total} ${stage}\x1b[K${done === total ? '\n' : ''}`);
    } else if (done % 20 === 0 || done === total) stream.write(`${done}/${total} packages\n`);
  };
}
