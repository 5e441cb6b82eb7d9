// Feeds a parser mutations of what it should read. It may give a value or an AppError, within its time; nothing else.
import fc from 'fast-check';
import { AppError } from '../../src/system/app-error.ts';
import { anyText } from '../any-text.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Good inputs, and bad ones that were found. */
  readonly seeds: readonly (string | Buffer)[];
  /** Pieces that mean something to the parser. */
  readonly tokens: readonly string[];
  /** Throws where the parser does; checks what it gives. */
  readonly run: (input: Buffer) => unknown;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly failure?: { readonly index: number; readonly input: string; readonly error: unknown };
}

/** Of one input; a hang is far beyond. Processor time: what else the machine does must not matter. */
const maxInputMs = 20_000;

/** Runs the target until the time is over, each input told by the seed and its number alone. */
export async function fuzz(target: FuzzTarget, seed: number, forMs: number): Promise<FuzzResult> {
  const until = performance.now() + forMs;
  const seeds = target.seeds.map((one) => Buffer.from(one));
  let index = 0;
  for (const input of seeds) {
    const error = await tryInput(target, input);
    if (error !== undefined) return { inputs: index, failure: { index, input: describe(input), error } };
  }
  for (let batch = 0; performance.now() < until; batch += 1) {
    for (const input of fc.sample(mutations(seeds, target.tokens), { seed: seed + batch, numRuns: 50 })) {
      index += 1;
      const error = await tryInput(target, input);
      if (error !== undefined) return { inputs: index, failure: { index, input: describe(input), error } };
    }
  }
  return { inputs: index };
}

const describe = (input: Buffer): string =>
  `${input.toString('base64').slice(0, 4000)} (${input.length} bytes, base64; ${JSON.stringify(input.toString('latin1').slice(0, 500))})`;

/** @returns what must not have been thrown */
async function tryInput(target: FuzzTarget, input: Buffer): Promise<unknown> {
  const before = process.cpuUsage();
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof AppError)) return error ?? new Error('nothing was thrown');
  }
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  return ms > maxInputMs ? new Error(`took ${ms.toFixed()} ms`) : undefined;
}

type Edit = (data: Buffer) => Buffer;

/** A seed with some edits: of bytes, of known pieces, of pieces of other seeds, and of JSON where it is that. */
function mutations(seeds: readonly Buffer[], tokens: readonly string[]): fc.Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const at = (data: Buffer, where: number): number => Math.floor(where * data.length);
  const insert =
    (piece: Buffer, where: number): Edit =>
    (data) =>
      Buffer.concat([data.subarray(0, at(data, where)), piece, data.subarray(at(data, where))]);
  const piece = fc.oneof(
    fc.constantFrom(...tokens, '\0', '\n', '"', '../', '\u{10ffff}', '\ufeff').map((token) => Buffer.from(token)),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    anyText().map((text) => Buffer.from(text)),
    fc
      .tuple(fc.constantFrom(...tokens, '[', '{"a":', '\\', ' ', '9'), fc.constantFrom(3, 100, 20_000))
      .map(([token, times]) => Buffer.from(token.repeat(times))),
  );
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.tuple(piece, place).map(([what, where]) => insert(what, where)),
    fc.tuple(place, fc.nat(255)).map(([where, byte]) => (data: Buffer) => {
      const changed = Buffer.from(data);
      if (changed.length > 0) changed[at(data, where)] = byte;
      return changed;
    }),
    fc.tuple(place, place, piece).map(([from, length, what]) => (data: Buffer) => {
      const start = at(data, from);
      return Buffer.concat([data.subarray(0, start), what, data.subarray(start + Math.ceil(length * length * 50))]);
    }),
    place.map((where) => (data: Buffer) => data.subarray(0, at(data, where))),
    fc
      .tuple(fc.constantFrom(...seeds), place, place)
      .map(([other, from, where]) => insert(other.subarray(at(other, from)), where)),
    fc.tuple(place, jsonValue, fc.boolean()).map(
      ([where, value, isKey]) =>
        (data: Buffer) =>
          editJson(data, where, value, isKey),
    ),
  );
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([seed, edits]) => edits.reduce((data, change) => (data.length > 1 << 20 ? data : change(data)), seed));
}

const jsonValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    2 ** 53,
    '',
    '..',
    '/',
    '__proto__',
    'constructor',
    [],
    {},
    [[]],
    'a'.repeat(5000),
  ),
  anyText(),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(10_000).map((depth) => nest(depth)),
);

function nest(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

/** One value of the document becomes another, or gets another key. */
function editJson(data: Buffer, where: number, value: unknown, isKey: boolean): Buffer {
  let document: unknown;
  try {
    document = JSON.parse(data.toString());
  } catch {
    return data;
  }
  const places: { readonly holder: Record<string, unknown>; readonly key: string }[] = [];
  const visit = (holder: unknown): void => {
    if (typeof holder !== 'object' || holder === null || places.length > 500) return;
    for (const [key, inner] of Object.entries(holder)) {
      places.push({ holder: holder as Record<string, unknown>, key });
      visit(inner);
    }
  };
  try {
    visit(document);
    const chosen = places[Math.floor(where * places.length)];
    if (!chosen) return data;
    if (isKey && typeof value === 'string') {
      const inner = chosen.holder[chosen.key];
      Reflect.deleteProperty(chosen.holder, chosen.key);
      Object.defineProperty(chosen.holder, value, { value: inner, enumerable: true, configurable: true });
    } else chosen.holder[chosen.key] = value;
    return Buffer.from(JSON.stringify(document));
  } catch {
    // Too deep for this fuzzer; the parsers get such documents from others.
    return data;
  }
}
