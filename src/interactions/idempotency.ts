/** The id that a client gave for a whole request, in its `Idempotency-Key` header. */
export interface IdempotencyKey {
  /** As sent. */
  readonly key: string;
  /** Which of the request's inputs it stands for; null when there is only one, whose id the key then is. */
  readonly part: string | null;
}
