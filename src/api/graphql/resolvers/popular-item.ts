import type { PopularPage, PopularRow } from '../../../popularity/popular-items.ts';
import type { ApiContext } from '../context.ts';
import { interactionCounts, MAX_INT, type InteractionCount } from './interaction-counts.ts';
import { pageInfoOf, type PageInfo } from './page-info.ts';

/** A row and the page it is on. */
interface PopularNode {
  readonly row: PopularRow;
  readonly page: PopularPage;
}

export const popularItemConnection = {
  edges: (page: PopularPage): { cursor: string; node: PopularNode }[] =>
    page.rows.map((row) => ({ cursor: row.cursor, node: { row, page } })),
  nodes: (page: PopularPage): PopularNode[] => page.rows.map((row) => ({ row, page })),
  pageInfo: (page: PopularPage): PageInfo => pageInfoOf(page.rows, page.hasNextPage, page.hasPreviousPage),
};

export const popularItem = {
  rank: ({ row }: PopularNode): number => row.rank,
  score: ({ row }: PopularNode): number => row.score,
  people: ({ row }: PopularNode): number => Math.min(row.people, MAX_INT),
  item: ({ row }: PopularNode) => row.item,
  async counts(
    { row, page }: PopularNode,
    _: unknown,
    { loaders, freshness }: ApiContext,
  ): Promise<InteractionCount[]> {
    const { window, asOf } = page;
    const key = { itemId: row.item.id, window: window ?? 'ALL_TIME', asOf, point: freshness.point() };
    return interactionCounts(await loaders().counts.load(key));
  },
};
