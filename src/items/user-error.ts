export type UserErrorCode =
  | 'INVALID_ITEM_ID'
  | 'ITEM_NOT_FOUND'
  | 'INVALID_ID'
  | 'TIME_MISMATCH'
  | 'TIME_TOO_OLD'
  | 'TIME_IN_FUTURE'
  | 'METADATA_TOO_LARGE'
  | 'INVALID_METADATA'
  | 'INVALID_TITLE'
  | 'INVALID_CATEGORY'
  | 'INVALID_URL'
  | 'INVALID_ATTRIBUTES'
  | 'EXACTLY_ONE_VIEWER';

/** What is wrong with one input; nothing was done for it. */
export interface UserError {
  readonly code: UserErrorCode;
  /** The path to the input field at fault, list positions included. */
  readonly field: readonly string[];
  readonly message: string;
}
