// Takes secrets out of text that may hold URLs: what is shown, locked or stored knows none.

/**
 * Removes `user:password@` of any URL, and conda's `/t/<token>` of http(s) URLs (a file URL may have such a directory).
 * @param text one value, not a document: what is between `://` and `@` must not be somebody else's
 */
export function redactUrls(text: string): string {
  return text
    .replaceAll(/:\/\/[^/\s]*@/g, '://')
    .replaceAll(/(https?:\/\/[^\s"']*?)\/t\/[^/\s"']+(?=[/\s"']|$)/gi, '$1');
}

/** The same for every text in a value that becomes JSON. */
export function renderRedactedJson(value: object): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? redactUrls(part) : part));
}
