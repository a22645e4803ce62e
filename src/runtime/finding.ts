/** What `npm run doctor` says of one part. */
export interface Finding {
  readonly part: string;
  /** Null: it was not looked at. */
  readonly ok: boolean | null;
  /** What is well, or what is wrong and what to do about it. No secrets. */
  readonly text: string;
}
