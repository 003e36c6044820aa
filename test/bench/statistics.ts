export interface Figures {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly textsPerSecond: number;
}

/** The smallest value that at least `share` of all are no greater than (nearest rank). */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('Expected at least one value for a percentile but received none');
  return value;
}

/**
 * @param latenciesMs of each request, in ms
 * @param elapsedMs from the first request's start to the last one's end
 */
export function figuresOf(latenciesMs: readonly number[], textsPerRequest: number, elapsedMs: number): Figures {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  return {
    requests: sorted.length,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
    textsPerSecond: (sorted.length * textsPerRequest) / (elapsedMs / 1000),
  };
}

/** Columns as wide as their widest cell; the first `left` of them flush left, the others flush right. */
export function table(rows: readonly (readonly string[])[], left: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const pad = (cell: string, column: number): string =>
    column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
