// Text of any code points, for property tests. fast-check has `unit: 'binary'` for that, which takes seconds to begin with.
import fc from 'fast-check';

/** No half of a surrogate pair: such text cannot be written to a file and read again. */
const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0xd7ff }),
  fc.integer({ min: 0xe000, max: 0x10ffff }),
  fc.integer({ min: 0, max: 0x7f }),
);

export const anyText = (maxLength = 12): fc.Arbitrary<string> =>
  fc.array(codePoint, { maxLength }).map((points) => String.fromCodePoint(...points));
