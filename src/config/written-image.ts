// install_config.yaml, `squashfs` and `drop`: how an image is packed, and what is left out of it.
import * as z from 'zod';
import { patternRule } from './text-rules.ts';
import { list, text } from './written-values.ts';

/** mksquashfs(1), -b: a power of two from 4 KiB to 1 MiB. */
export const BLOCK_SIZES = ['4K', '8K', '16K', '32K', '64K', '128K', '256K', '512K', '1M'] as const;

export const squashfs = z
  .strictObject({
    compression: z
      .enum(['zstd', 'gzip', 'lz4', 'xz', 'none'])
      .default('zstd')
      .describe('How the image is compressed.')
      .meta({ examples: ['lz4'] }),
    level: z
      .int()
      .min(1)
      .max(22)
      .optional()
      .describe('Compression level: zstd 1 to 22, gzip 1 to 9; the others have none. Default: 3 for zstd, 9 for gzip.')
      .meta({ examples: [9] }),
    block_size: z
      .enum(BLOCK_SIZES)
      .default('128K')
      .describe('Size of the blocks that are compressed; larger blocks make smaller images and slower random reads.')
      .meta({ examples: ['256K'] }),
    order: z
      .enum(['traced', 'none'])
      .default('traced')
      .describe(
        'traced: what the imports of the gate open when they are tried during the build stands together at the start of the image, so that a cold start reads less of it. none: as mksquashfs has it.',
      )
      .meta({ examples: ['none'] }),
    processors: z
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe('Processors used for packing. Default: every one that the build may use.')
      .meta({ examples: [4] }),
    memory_mib: z
      .int()
      .min(64)
      .max(1 << 20)
      .optional()
      .describe('Memory for the buffers of mksquashfs, in MiB; it takes some hundred more. Default: 512.')
      .meta({ examples: [1024] }),
  })
  .prefault({})
  .describe('The image file.');

const yes = z.boolean().meta({ examples: [true] });
const dropped = {
  static_libraries: yes.describe(
    'Static libraries (`*.a`), but for those that compilers in the environment need: lib/gcc, sysroots, the run-time libraries of clang, Rust, OCaml, GHC, Go and CUDA.',
  ),
  tests: yes.describe(
    'Directories named test or tests below `lib/python*`, but for those that are known to be imported. Packages that import their own tests break: have the gate import them.',
  ),
  patterns: list(text(patternRule))
    .default([])
    .describe(
      "Paths below the environment's prefix: `*` and `?` stand within a name, `**` for any directories; a directory means all that is in it. A pattern that would take what a command leads to is refused.",
    )
    .meta({ examples: [['share/doc', 'share/man']] }),
  keep: list(text(patternRule))
    .default([])
    .describe('What no rule may take, in the same form.')
    .meta({ examples: [['lib/libnpymath.a']] }),
};
const { static_libraries, tests } = dropped;
export const drop = z
  .strictObject({ ...dropped, static_libraries: static_libraries.default(false), tests: tests.default(false) })
  .prefault({})
  .describe(
    `What is left out of the images. The manifest and the build's output say what went, by rule; conda-meta does not list it any more.`,
  );
export const environmentDrop = z
  .strictObject({ ...dropped, static_libraries: static_libraries.optional(), tests: tests.optional() })
  .prefault({})
  .describe(`What is left out of this environment's image: replaces the site's true or false, adds to its lists.`);
