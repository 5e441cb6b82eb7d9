// Names of Python distributions and of their files (PEP 503, PEP 440, PEP 427).

/** A name as PEP 503 normalises it. */
export const DISTRIBUTION_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** PEP 440, as loosely as indexes have it: no character that means something to a shell, a URL or pip. */
export const DISTRIBUTION_VERSION = /^[0-9A-Za-z][0-9A-Za-z.!+_-]*$/;
const WHEEL = /^([A-Za-z0-9][\w.]*)-[\w.!+]+(?:-\d[\w.]*)?-[\w.]+-[\w.]+-[\w.]+\.whl$/;

/** PEP 503: `Foo.Bar__baz` is `foo-bar-baz`. */
export function normalizeDistributionName(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase();
}

/** The file name at the end of a URL; `undefined` where it is none that can be a name on disk. */
export function distributionFileName(url: string): string | undefined {
  let name: string;
  try {
    name = decodeURIComponent(URL.parse(url)?.pathname.split('/').at(-1) ?? '');
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
  return /^[A-Za-z0-9][\w.!+-]*$/.test(name) ? name : undefined;
}

/** Whether the URL is that of a wheel of this distribution. Its version may be written otherwise (1.0 and 1.0.0 are one). */
export function isItsOwnWheel(name: string, url: string): boolean {
  const [, wheelName] = WHEEL.exec(distributionFileName(url) ?? '') ?? [];
  return wheelName !== undefined && normalizeDistributionName(wheelName) === name;
}
