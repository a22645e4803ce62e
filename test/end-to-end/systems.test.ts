import { describeSystem } from './suite.ts';
import { startEmbedded, startOnServers } from './system.ts';

describeSystem('on embedded defaults', startEmbedded);
describeSystem('on RabbitMQ, Redis, Postgres and a replica', () => startOnServers());
