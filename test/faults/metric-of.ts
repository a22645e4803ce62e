/** The sum of a metric's samples whose labels hold `labels`, from a process of ours. */
export async function metricOf(metricsUrl: string, name: string, labels = ''): Promise<number> {
  const response = await fetch(`${metricsUrl}/metrics`, { headers: { connection: 'close' } });
  let sum = 0;
  for (const line of (await response.text()).split('\n')) {
    const [, found, given = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found === name && given.includes(labels)) sum += Number(value);
  }
  return sum;
}
