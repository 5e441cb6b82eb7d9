// Paths below paths.

/** Whether it is that directory or below it, as they are written: both absolute, without `..` and a slash at the end. */
export const isWithin = (file: string, dir: string): boolean => file === dir || file.startsWith(`${dir}/`);
