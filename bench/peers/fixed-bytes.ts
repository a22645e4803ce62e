import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/** The limit of a cached read: `node:http` that answers every request with the same bytes under the same headers. */
const { status, headers, body }: { status: number; headers: Record<string, string>; body: string } = JSON.parse(
  readFileSync(process.env['ANSWER'] ?? '', 'utf8'),
);
const fields = Object.entries(headers).flat();

createServer((_request, response) => {
  response.writeHead(status, fields);
  response.end(body);
}).listen(Number(process.env['PORT']), '127.0.0.1');
