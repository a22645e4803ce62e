import { occurredAtMs, parseInteractionId } from '../../../interactions/interaction-id.ts';
import type { ReactionType } from '../../../interactions/interaction.ts';
import type { KnownInteraction } from '../../../interactions/viewer-history.ts';
import type { Item } from '../../../items/item.ts';
import { checkFirst } from '../../../popularity/popular-query.ts';
import { PublicError } from '../../../runtime/errors.ts';
import type { ApiContext } from '../context.ts';
import type { Identity } from '../../request-context.ts';
import { pageInfoOf, type PageInfo } from './page-info.ts';

interface PageArguments {
  readonly first: number;
  readonly after?: string | null;
}

interface Edge<Node> {
  readonly cursor: string;
  readonly node: Node;
}

interface Connection<Node> {
  readonly edges: Edge<Node>[];
  readonly nodes: Node[];
  readonly pageInfo: PageInfo;
}

interface Reaction {
  readonly type: ReactionType;
  readonly since: Date;
  readonly item: Item;
}

const EMPTY: Connection<never> = { edges: [], nodes: [], pageInfo: pageInfoOf([], false, false) };

export const viewer = {
  async reactions(
    { key }: Identity,
    { first, after, type }: PageArguments & { readonly type?: ReactionType | null },
    { useCases, loaders }: ApiContext,
  ): Promise<Connection<Reaction>> {
    const beforeId = beforeIdOf({ first, after: after ?? null });
    if (key === null) return EMPTY;
    const found = await useCases.history.reactions(key, type ?? null, beforeId, first + 1);
    const page = found.slice(0, first);
    const items = await Promise.all(page.map(({ itemId }) => loaders().item.load(itemId)));
    const edges = page.flatMap(({ type, sinceId }, index): Edge<Reaction>[] => {
      const item = items[index];
      // Hidden between the two reads. The page goes on after it all the same.
      if (item === undefined || item === null) return [];
      return [{ cursor: cursorOf(sinceId), node: { type, since: new Date(occurredAtMs(sinceId)), item } }];
    });
    const cursors = page.map(({ sinceId }) => ({ cursor: cursorOf(sinceId) }));
    return connectionOf(edges, pageInfoOf(cursors, found.length > first, beforeId !== null));
  },

  async interactions(
    { key }: Identity,
    { first, after }: PageArguments,
    { useCases }: ApiContext,
  ): Promise<Connection<KnownInteraction>> {
    const beforeId = beforeIdOf({ first, after: after ?? null });
    if (key === null) return EMPTY;
    const found = await useCases.history.interactions(key, beforeId, first + 1);
    const edges = found.slice(0, first).map((node) => ({ cursor: cursorOf(node.interaction.id), node }));
    return connectionOf(edges, pageInfoOf(edges, found.length > first, beforeId !== null));
  },
};

function connectionOf<Node>(edges: Edge<Node>[], pageInfo: PageInfo): Connection<Node> {
  return { edges, nodes: edges.map(({ node }) => node), pageInfo };
}

function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

/** @throws PublicError BAD_USER_INPUT */
function beforeIdOf({ first, after }: { first: number; after: string | null }): string | null {
  checkFirst(first);
  if (after === null) return null;
  const id = parseInteractionId(Buffer.from(after, 'base64url').toString());
  if (id === undefined) throw new PublicError('BAD_USER_INPUT', '`after` is no cursor of this list.');
  return id;
}
