export interface OccurrenceCounter {
  /** 1 the first time this hash (a whole number, 1 to 2^53) is seen, 2 the second, and so on. */
  next(hash: number): number;
}

/**
 * Which of equal rows one is. A file has very few equal rows but many rows, so it keeps 8 bytes for each hash (11 to 22
 * with the free slots) and a Map entry for the repeated ones only; a Map of all took 70 bytes each. Two different rows
 * with one hash are harmless: the second gets a number it did not need, the same in every import of the file.
 */
export function createOccurrenceCounter(): OccurrenceCounter {
  let slots = new Float64Array(1 << 16);
  let used = 0;
  const repeated = new Map<number, number>();

  function slotOf(table: Float64Array, hash: number): number {
    let slot = hash % table.length;
    while (table[slot] !== 0 && table[slot] !== hash) slot = (slot + 1) % table.length;
    return slot;
  }

  function grow(): void {
    const larger = new Float64Array(slots.length * 2);
    for (const hash of slots) if (hash !== 0) larger[slotOf(larger, hash)] = hash;
    slots = larger;
  }

  return {
    next(hash) {
      const slot = slotOf(slots, hash);
      if (slots[slot] === hash) {
        const count = (repeated.get(hash) ?? 1) + 1;
        repeated.set(hash, count);
        return count;
      }
      slots[slot] = hash;
      used += 1;
      if (used > slots.length * 0.7) grow();
      return 1;
    },
  };
}
