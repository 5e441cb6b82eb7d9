// How the tests of this directory see what a parser throws: as the lines that a person reads.
import { AppError } from '../../../src/system/app-error.ts';
import { EXIT } from '../../../src/system/exit-codes.ts';

/** `line:column  message | hint`, one for each problem; an empty list when nothing is thrown. */
export function problemsOf(parse: () => unknown): string[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.exit !== EXIT.configuration) throw new Error(`exit ${error.exit}`, { cause: error });
    return error.problems.map(({ at, message, hint, code }) => {
      if (code !== 'CONFIG_INVALID') throw new Error(`code ${code}`, { cause: error });
      const place = (at ?? '').replace(/^[^:]*:/, '');
      return `${place}  ${message}${hint === undefined ? '' : ` | ${hint}`}`;
    });
  }
}
