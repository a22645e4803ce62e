import { describe, expect, it } from 'vitest';
import { createAckWindow } from './rabbitmq-ack-window.ts';

const fields = { consumerTag: '', redelivered: false, exchange: '', routingKey: '' };
const NO_PROPERTIES = {
  contentType: undefined,
  contentEncoding: undefined,
  headers: undefined,
  deliveryMode: undefined,
  priority: undefined,
  correlationId: undefined,
  replyTo: undefined,
  expiration: undefined,
  messageId: undefined,
  timestamp: undefined,
  type: undefined,
  userId: undefined,
  appId: undefined,
  clusterId: undefined,
};

function settler() {
  const window = createAckWindow();
  return (...tags: number[]): string[] => {
    const frames: string[] = [];
    const messages = tags.map((deliveryTag) => ({
      content: Buffer.alloc(0),
      properties: NO_PROPERTIES,
      fields: { ...fields, deliveryTag },
    }));
    window.settle(messages, ({ fields: { deliveryTag } }, upTo) =>
      frames.push(`${upTo ? 'up to ' : ''}${deliveryTag}`),
    );
    return frames;
  };
}

describe('createAckWindow', () => {
  it('acknowledges a batch that begins where all below is settled with one frame', () => {
    const settle = settler();
    expect(settle(1, 2, 3)).toEqual(['up to 3']);
    expect(settle(5, 4)).toEqual(['up to 5']);
  });

  it('acknowledges one by one what has something unsettled below it', () => {
    const settle = settler();
    expect(settle(3, 4)).toEqual(['3', '4']);
    expect(settle(1)).toEqual(['up to 1']);
    expect(settle(2, 5, 6, 8)).toEqual(['8', 'up to 6']);
    expect(settle(7, 9)).toEqual(['up to 9']);
  });

  it('never acknowledges the same message twice', () => {
    const settle = settler();
    settle(1, 2, 5);
    expect(settle(1, 2, 5)).toEqual([]);
  });
});
