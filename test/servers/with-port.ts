/** The same URL at another port, such as a proxy's. */
export function withPort(text: string, port: number): string {
  const url = new URL(text);
  url.port = String(port);
  return url.href;
}
