/** Which item a message is about, the rest unchecked; null for what is no message of ours. */
export function itemOfMessage(body: Buffer): string | null {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed !== 'object' || parsed === null || !('item' in parsed)) return null;
    return typeof parsed.item === 'string' ? parsed.item : null;
  } catch {
    return null;
  }
}
