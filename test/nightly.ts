// `npm run test:nightly`: the same tests, with every case of what CI has an example of each kind of (CONTRIBUTING.md).

export const isNightly = process.env['NIGHTLY'] !== undefined;

/** How many, or which. */
export function atNight<T>(all: T, inCi: T): T {
  return isNightly ? all : inCi;
}
