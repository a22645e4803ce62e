export interface SingleFlight<V> {
  /** The load of this key that is under way, if there is one. */
  running(key: string): Promise<V> | undefined;
  /** Starts `load`, or joins the one under way: callers share its value and its error. */
  run(key: string, load: () => Promise<V>): Promise<V>;
}

export function createSingleFlight<V>(): SingleFlight<V> {
  const loads = new Map<string, Promise<V>>();

  async function start(key: string, load: () => Promise<V>): Promise<V> {
    try {
      return await load();
    } finally {
      loads.delete(key);
    }
  }

  return {
    running: (key) => loads.get(key),
    run(key, load) {
      const already = loads.get(key);
      if (already !== undefined) return already;
      const started = start(key, load);
      loads.set(key, started);
      return started;
    },
  };
}
