import { LRUCache } from 'lru-cache';
import { JSON_TYPE } from './http-answer.ts';

const GRAPHQL_RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';
const OFFERED = [
  { range: 'application/json', type: JSON_TYPE },
  { range: 'application/graphql-response+json', type: GRAPHQL_RESPONSE_TYPE },
] as const;

/** Clients send few different `Accept` texts. */
const negotiated = new LRUCache<string, { readonly type: string | null }>({
  max: 200,
  maxSize: 100_000,
  sizeCalculation: (_, key) => key.length + 1,
});

/** The content type to answer with, or null when `accept` takes none of ours (RFC 9110, 12.5.1). */
export function negotiateType(accept: string | undefined): string | null {
  if (accept === undefined || accept === '*/*' || accept === '' || accept === 'application/json') return JSON_TYPE;
  let known = negotiated.get(accept);
  if (known === undefined) {
    let best = 0;
    let type: string | null = null;
    for (const offer of OFFERED) {
      const quality = qualityOf(accept, offer.range);
      if (quality > best) {
        best = quality;
        type = offer.type;
      }
    }
    known = { type };
    negotiated.set(accept, known);
  }
  return known.type;
}

/** Whether a browser asks for a page: `text/html` before JSON. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes('text/html')) return false;
  const html = qualityOf(accept, 'text/html');
  return html > 0 && html >= qualityOf(accept, 'application/json');
}

function qualityOf(accept: string, type: string): number {
  const family = `${type.slice(0, type.indexOf('/'))}/*`;
  let specificity = -1;
  let quality = 0;
  for (const part of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const matched = range === type ? 2 : range === family ? 1 : range === '*/*' ? 0 : -1;
    if (matched <= specificity) continue;
    specificity = matched;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const value = weight === undefined ? 1 : Number(weight.slice(2));
    quality = value >= 0 && value <= 1 ? value : 0;
  }
  return quality;
}

export interface ContentType {
  readonly essence: string;
  readonly charset: string | null;
}

/** Null when it is not of the form `type/subtype; parameter=value`. */
export function parseContentType(header: string): ContentType | null {
  const [essence = '', ...parameters] = header.split(';').map((piece) => piece.trim().toLowerCase());
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(essence)) return null;
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return { essence, charset: charset === undefined ? null : charset.slice('charset='.length).replaceAll('"', '') };
}
