// The kinds of values that install_config.yaml has, as zod schemas: text that a rule checks, and lists of it.
import * as z from 'zod';
import { quoted, type TextRule } from './text-rules.ts';

/** Text that a rule checks; the pattern, where there is one, tells editors most of it. */
export function text(rule: TextRule, pattern?: RegExp): z.ZodString {
  return z
    .string()
    .superRefine((value, context) => {
      const wrong = rule(value);
      if (wrong) context.addIssue({ code: 'custom', message: wrong.message, params: { hint: wrong.hint } });
    })
    .meta(pattern ? { pattern: pattern.source } : {});
}

export function matching(pattern: RegExp, what: string): z.ZodString {
  return text(
    (value) => (pattern.test(value) ? undefined : { message: `must be ${what}, not ${quoted(value)}` }),
    pattern,
  );
}

/** A list in which nothing stands twice. */
export function list(item: z.ZodString): z.ZodArray<z.ZodString> {
  return z
    .array(item)
    .superRefine((values, context) => {
      for (const [index, value] of values.entries()) {
        const first = values.indexOf(value);
        if (first !== index) {
          context.addIssue({ code: 'custom', path: [index], message: `repeats item ${first + 1}, ${quoted(value)}` });
        }
      }
    })
    .meta({ uniqueItems: true });
}
