import { expect, it } from 'vitest';
import { parseImportArguments } from './import-arguments.ts';

function faultOf(...args: string[]): string {
  const parsed = parseImportArguments(args);
  return parsed.kind === 'fault' ? parsed.fault : parsed.kind;
}

it('with both files, id names a column of the items', () => {
  const parsed = parseImportArguments([
    '--items',
    'i.csv',
    '--interactions',
    'x.csv',
    '--columns',
    'id=isbn,itemId=book',
    '--type',
    'view',
  ]);
  if (parsed.kind !== 'run') throw new Error(parsed.kind);
  expect(parsed.arguments).toMatchObject({ type: 'VIEW', onError: 'skip', createItems: false });
  expect([...parsed.arguments.itemColumns]).toEqual([['id', 'isbn']]);
  expect([...parsed.arguments.interactionColumns]).toEqual([['itemId', 'book']]);
});

it.each([
  [[], 'nothing to import'],
  [['--item', 'x'], '--item'],
  [['x.csv'], 'x.csv'],
  [['--items'], '--items'],
  [['--items', 'i', '--type', 'VIEW'], '--type needs --interactions'],
  [['--interactions', 'x', '--type', 'HATE'], '--type is one of VIEW, LIKE'],
  [['--interactions', 'x', '--where', 'rating'], '--where "rating" is not'],
  [['--interactions', 'x', '--columns', 'itemID=a'], 'there is no field "itemID"'],
  [['--interactions', 'x', '--columns', 'itemId'], '"itemId" is not field=column'],
  [['--interactions', 'x', '--columns', 'itemId=a', '--columns', 'itemId=b'], 'itemId is given twice'],
  [['--interactions', 'x', '--on-error', 'ignore'], '--on-error is skip or abort'],
  [['--interactions', 'x', '--bad-rows', './x'], '--bad-rows would replace a file'],
])('%j is told: %s', (args, fault) => {
  expect(faultOf(...args)).toContain(fault);
});
