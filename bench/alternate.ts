export interface Pair<A, B> {
  readonly ours: A;
  readonly peer: B;
}

/** A B A B …: what slows the machine for a while slows both sides of a pair. */
export async function alternate<A, B>(
  rounds: number,
  ours: (round: number) => Promise<A>,
  peer: (round: number) => Promise<B>,
): Promise<Pair<A, B>[]> {
  const pairs: Pair<A, B>[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push({ ours: await ours(round), peer: await peer(round) });
  return pairs;
}
