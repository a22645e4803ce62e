import { occurredAtMs } from '../../../interactions/interaction-id.ts';
import type { InteractionType } from '../../../interactions/interaction.ts';
import type { KnownInteraction } from '../../../interactions/viewer-history.ts';
import type { Item } from '../../../items/item.ts';
import type { ApiContext } from '../context.ts';

export const interaction = {
  id: ({ interaction }: KnownInteraction): string => interaction.id,
  type: ({ interaction }: KnownInteraction): InteractionType => interaction.type,
  retraction: ({ interaction }: KnownInteraction): boolean => interaction.retraction,
  occurredAt: ({ interaction }: KnownInteraction): Date => new Date(occurredAtMs(interaction.id)),
  item: ({ interaction }: KnownInteraction, _: unknown, { loaders }: ApiContext): Promise<Item | null> =>
    loaders().item.load(interaction.itemId),
};
