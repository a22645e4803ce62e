export interface RetryBudget {
  /** Once for each call: the more there are, the more may be tried again. */
  earn(): void;
  /** False: too much is being tried again. */
  spend(): boolean;
}

export interface RetryBudgetOptions {
  /** Retries for each call. */
  readonly share: number;
  /** How many may come at once, and are there at the start. */
  readonly reserve: number;
}

/** A token bucket filled by calls, not by time: retries add at most `share` to the load, whatever the load is. */
export function createRetryBudget({ share, reserve }: RetryBudgetOptions): RetryBudget {
  let tokens = reserve;
  return {
    earn() {
      tokens = Math.min(reserve, tokens + share);
    },
    spend() {
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
