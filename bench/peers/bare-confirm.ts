import { connect } from 'amqplib';
import { createServer, type IncomingMessage } from 'node:http';
import { queueArguments } from '../../src/adapters/rabbitmq/rabbitmq-topology.ts';

/** The limit of accepting: `node:http` that reads a JSON body, publishes it, and answers after the broker's confirm. */
const QUEUE = 'bare-confirm';
const connection = await connect(process.env['AMQP_URL'] ?? '');
const channel = await connection.createConfirmChannel();
await channel.assertQueue(QUEUE, { durable: true, arguments: queueArguments(connection) });

createServer((request, response) => {
  if (request.method !== 'POST') return void response.end();
  readBody(request, (body) => {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const message = Buffer.from(JSON.stringify(parsed));
    channel.publish('', QUEUE, message, { persistent: true, mandatory: true }, (error: unknown) => {
      response.writeHead(error === null ? 200 : 503, { 'content-type': 'application/json' });
      response.end(error === null ? '{"accepted":true}' : '{"accepted":false}');
    });
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');

function readBody(request: IncomingMessage, onBody: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => onBody(Buffer.concat(chunks)));
}
