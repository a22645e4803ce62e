import { hash } from 'node:crypto';

/**
 * Who did something, as a pseudonym: the first 16 bytes of SHA-256 over `user:<sub>` or `device:<id>`, written as a
 * UUID (version 8). Databases, queues and caches hold nothing else of a person.
 */
export type ViewerKey = string;

export type ViewerIdentity = { readonly userId: string } | { readonly deviceId: string };

export function viewerKeyOf(identity: ViewerIdentity): ViewerKey {
  const name = 'userId' in identity ? `user:${identity.userId}` : `device:${identity.deviceId}`;
  const bytes = hash('sha256', name, 'buffer').subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
