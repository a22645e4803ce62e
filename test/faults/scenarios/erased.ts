import { newInteractionId } from '../../../src/interactions/interaction-id.ts';
import { INTERACTION_TYPES } from '../../../src/interactions/interaction.ts';
import { viewerKeyOf } from '../../../src/interactions/viewer-key.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { ask, at } from '../ask.ts';
import { metricOf } from '../metric-of.ts';
import type { Arena, Row } from '../row.ts';

const EACH = { quick: 30, full: 300 };
const ROUNDS = { quick: 1, full: 10 };
const RECORD = `mutation ($inputs: [RecordInteractionInput!]!) {
  recordInteractions(inputs: $inputs) { results { interaction { id } userErrors { code } } } }`;
const ERASE = 'mutation ($person: ID!) { eraseViewer(deviceId: $person) { erasedInteractions userErrors { code } } }';
const ADMIN = { 'x-user-id': 'root', 'x-user-role': 'admin' };
const LEFT = ['interactions', 'people', 'reactions', 'rejected'].map(
  (table) => `SELECT '${table}' AS place FROM ${table} WHERE viewer = $1`,
);

/** None of it is in the ledger: a row that stayed counts as duplicated, and the recount finds what stayed in the rollups. */
export const erased: Row = {
  name: 'erased',
  fault: 'a person erased whose interactions are in queue and outbox, the worker killed meanwhile',
  async run(arena) {
    const { system, isQuick } = arena;
    const { api, worker } = system.links;
    arena.write();
    const left = new Set<string>();
    let [erasedRows, discarded] = [0, 0];
    const rounds = isQuick ? ROUNDS.quick : ROUNDS.full;
    for (let round = 0; round < rounds; round += 1) {
      const person = `erased-${round}`;
      const findLeft = (): Promise<Record<string, unknown>[]> =>
        query(system.databaseUrl, LEFT.join(' UNION ALL '), [viewerKeyOf({ deviceId: person })]);
      await record(arena, person);
      await waitFor('it to be recorded', async () => (await findLeft()).length > 0);
      worker.rabbitmq.refuse();
      await record(arena, person);
      // The rest by the outbox, of which the worker may have recorded some by the time of the erasure.
      api.rabbitmq.refuse();
      await record(arena, person);
      await system.worker.kill();
      const answer = await ask(system.api.url, { query: ERASE, variables: { person } }, { headers: ADMIN });
      const rows = at(at(answer.data, 'eraseViewer'), 'erasedInteractions');
      if (typeof rows !== 'number') throw new Error(`not erased: ${answer.text}`);
      erasedRows += rows;
      await system.heal();
      await system.worker.start();
      await arena.recovers();
      const inFlight = 3 * (isQuick ? EACH.quick : EACH.full) - rows;
      const isWorkedOff = async (): Promise<boolean> =>
        (await metricOf(system.worker.metricsUrl, 'groundswell_recorded_total', 'outcome="discarded"')) >= inFlight;
      await waitFor('what was in flight to be discarded', isWorkedOff);
      discarded += inFlight;
      for (const { place } of await findLeft()) left.add(String(place));
    }
    arena.holds('some was recorded', erasedRows > 0, `${erasedRows} in ${rounds} rounds`);
    arena.holds('the rest is discarded', discarded > 0, `${discarded}`);
    arena.holds('nothing of them is left', left.size === 0, left.size === 0 ? 'in 4 tables' : [...left].join(', '));
  },
};

/** Not in the ledger: none of it may be there in the end. */
async function record({ system, items, between, isQuick }: Arena, person: string): Promise<void> {
  const inputs = Array.from({ length: isQuick ? EACH.quick : EACH.full }, () => ({
    id: newInteractionId(),
    itemId: items[between(0, items.length)],
    type: INTERACTION_TYPES[between(0, INTERACTION_TYPES.length)],
  }));
  const answer = await ask(
    system.api.url,
    { query: RECORD, variables: { inputs } },
    { headers: { 'x-device-id': person } },
  );
  if (answer.code !== null || answer.text.includes('"code"')) throw new Error(`not accepted: ${answer.text}`);
}
