// What is thrown for a request that asking again does not change, and a person can.

/** The request reached somebody who refuses it, or leads where we do not go. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
