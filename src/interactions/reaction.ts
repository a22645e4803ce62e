/**
 * A reaction stands since the earliest giving later than the last retraction, whatever order they arrive in. "Later"
 * compares ids, whose leading bits are the time. record-batch-sql.ts folds the same rule over rows.
 */
export interface ReactionState {
  /** The giving it stands since, or null when it does not stand. */
  readonly sinceId: string | null;
  readonly retractedId: string | null;
}

export interface ReactionEvent {
  readonly id: string;
  readonly retraction: boolean;
}

/** Applies events in any order; applying one again changes nothing. Givings before the state's own are its caller's. */
export function applyReactionEvents(state: ReactionState, events: readonly ReactionEvent[]): ReactionState {
  let retractedId = state.retractedId;
  for (const event of events) {
    if (event.retraction && (retractedId === null || event.id > retractedId)) retractedId = event.id;
  }
  let sinceId: string | null = null;
  const givings = events.filter((event) => !event.retraction).map((event) => event.id);
  if (state.sinceId !== null) givings.push(state.sinceId);
  for (const id of givings) {
    if ((retractedId === null || id > retractedId) && (sinceId === null || id < sinceId)) sinceId = id;
  }
  return { sinceId, retractedId };
}
