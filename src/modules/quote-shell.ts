// Text as one word of a shell that sources a file, whatever characters it holds; several lines are no module's (findModuleLimit).

/** For sh, bash, zsh and ksh (POSIX.1, Shell Command Language, 2.2.2). */
export const quoteSh = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** For csh and tcsh, which look for history even in single quotes (tcsh(1), "Lexical structure"). */
export const quoteCsh = (text: string): string =>
  `'${text.replaceAll("'", String.raw`'\''`).replaceAll('!', String.raw`\!`)}'`;

/** For fish, where a backslash escapes in single quotes (fish documentation, "Quotes"). */
export const quoteFish = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
