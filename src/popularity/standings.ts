export interface RefreshedStandings {
  /** False when another worker is refreshing, or has just done so; nothing was done. */
  readonly led: boolean;
  /** Items rescored because something was recorded or changed. */
  readonly touchedItems: number;
  /** True when more is waiting: call again at once. */
  readonly more: boolean;
  /** The standings' time after the pass; undefined when not led. */
  readonly asOf: Date | undefined;
}

/** Keeps the answers for now ready. Any number of workers may call it; one at a time does the work. */
export interface StandingsRefresher {
  /**
   * One bounded pass, unless the standings are no older than `restMs` (0 when left out).
   * @throws UnavailableError nothing changed; call again
   */
  refresh(restMs?: number): Promise<RefreshedStandings>;
  /** The standings' time; null before the first pass ever. @throws UnavailableError */
  asOf(): Promise<Date | null>;
}
