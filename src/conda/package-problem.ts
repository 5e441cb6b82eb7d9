// What is said of a package that cannot be trusted or understood: always its URL, and the member at fault.
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

const hint = 'tell the channel’s maintainers; until they mend it, pin another build of the package in environment.yml';

/** A package that tries to do what no honest package does. Names are quoted: they may hold any bytes. */
export function packageHostile(url: string, member: string, why: string): AppError {
  return new AppError(EXIT.buildFailed, {
    code: 'PACKAGE_HOSTILE',
    at: url,
    message: `member ${JSON.stringify(member)} ${why}`,
    hint,
  });
}

/** A broken package. */
export function packageInvalid(url: string, what: string): AppError {
  return new AppError(EXIT.buildFailed, { code: 'PACKAGE_INVALID', at: url, message: what, hint });
}
