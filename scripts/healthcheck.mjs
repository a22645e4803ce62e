// For containers: exit 0 when the API or the worker in this one is ready. Both say so on their METRICS_PORT.
const ports = process.env.METRICS_PORT ? [process.env.METRICS_PORT] : [9464, 9465];
const answers = await Promise.allSettled(
  ports.map((port) => fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(3_000) })),
);
process.exitCode = answers.some(({ value }) => value?.ok) ? 0 : 1;
