/** The text of an API's answer to a query. @throws Error on any fault in it */
export async function ask(url: string, text: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: text }),
  });
  const answer = await response.text();
  if (response.status !== 200 || answer.includes('"errors"')) throw new Error(answer);
  return answer;
}

/** Of every place in the first so many pages of 100 of the default list. */
export async function cursorsOf(url: string, pages: number): Promise<string[]> {
  const cursors: string[] = [];
  for (let page = 0; page < pages; page += 1) {
    const after = cursors.at(-1);
    const place = after === undefined ? '' : `, after: "${after}"`;
    const text = await ask(url, `{ popularItems(first: 100${place}) { edges { cursor } } }`);
    for (const [, cursor = ''] of text.matchAll(/"cursor":"([^"]+)"/g)) cursors.push(cursor);
  }
  return cursors;
}
