import { describe, expect, it } from 'vitest';
import { parseItem } from './parse-item.ts';

const GOOD = { id: 'a', title: 'A' };

describe('parseItem', () => {
  it('fills in what is left out', () => {
    expect(parseItem({ ...GOOD, url: new URL('https://example.com/ü') }, [])).toEqual({
      ok: true,
      item: {
        id: 'a',
        title: 'A',
        category: null,
        url: 'https://example.com/%C3%BC',
        imageUrl: null,
        attributes: null,
      },
    });
  });

  it('counts characters, not UTF-16 units', () => {
    expect(parseItem({ ...GOOD, title: '😀'.repeat(1_000) }, [])).toMatchObject({ ok: true });
    expect(parseItem({ ...GOOD, title: '😀'.repeat(1_001) }, [])).toMatchObject({ ok: false });
    expect(parseItem({ ...GOOD, id: '😀'.repeat(256) }, [])).toMatchObject({ ok: true });
  });

  it.each([
    ['INVALID_ITEM_ID', 'id', { ...GOOD, id: '' }],
    ['INVALID_ITEM_ID', 'id', { ...GOOD, id: 'x'.repeat(257) }],
    ['INVALID_TITLE', 'title', { ...GOOD, title: '' }],
    ['INVALID_TITLE', 'title', { ...GOOD, title: 'a\0' }],
    ['INVALID_TITLE', 'title', { ...GOOD, title: 'x'.repeat(1_001) }],
    ['INVALID_CATEGORY', 'category', { ...GOOD, category: '' }],
    ['INVALID_CATEGORY', 'category', { ...GOOD, category: 'x'.repeat(257) }],
    ['INVALID_URL', 'url', { ...GOOD, url: 'javascript:alert(1)' }],
    ['INVALID_URL', 'url', { ...GOOD, url: 'no url' }],
    ['INVALID_URL', 'imageUrl', { ...GOOD, imageUrl: 'http://a/\u0000' }],
    ['INVALID_URL', 'url', { ...GOOD, url: `https://example.com/${'x'.repeat(2_048)}` }],
    ['INVALID_URL', 'imageUrl', { ...GOOD, imageUrl: `https://example.com/${'x'.repeat(2_048)}` }],
    ['INVALID_ATTRIBUTES', 'attributes', { ...GOOD, attributes: 'x'.repeat(16 * 1024) }],
    ['INVALID_ATTRIBUTES', 'attributes', { ...GOOD, attributes: { x: Number.POSITIVE_INFINITY } }],
  ])('names %s at %s', (code, field, raw) => {
    expect(parseItem(raw, ['items', '3'])).toMatchObject({
      ok: false,
      userErrors: [{ code, field: ['items', '3', field], message: expect.any(String) }],
    });
  });

  it('names every fault of an item at once', () => {
    const parsed = parseItem({ id: '', title: '', category: '', attributes: '\0' }, []);
    expect(parsed.ok ? [] : parsed.userErrors.map(({ field }) => field[0])).toEqual([
      'id',
      'title',
      'category',
      'attributes',
    ]);
  });
});
