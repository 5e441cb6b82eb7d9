// `npm run test:nightly`: tests of CI with more cases than CI has time for, and those of test/nightly (CONTRIBUTING.md).

export const isNightly = process.env['NIGHTLY'] !== undefined;

/** How many cases. */
export function atNight(many: number, inCi: number): number {
  return isNightly ? many : inCi;
}
