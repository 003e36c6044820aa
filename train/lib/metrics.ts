/** What a classifier got right, from true and predicted class indices. */
export interface ClassificationMetrics {
  readonly rows: number;
  readonly accuracy: number;
  /** Unweighted mean over the classes of the harmonic mean of precision and recall. */
  readonly macroF1: number;
  /** confusion[truth][prediction] */
  readonly confusion: number[][];
}

export function classificationMetrics(
  truth: readonly number[],
  predicted: readonly number[],
  classes: number,
): ClassificationMetrics {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  truth.forEach((label, row) => {
    const counts = confusion[label] as number[];
    const prediction = predicted[row] as number;
    counts[prediction] = (counts[prediction] as number) + 1;
  });
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const right = sum(confusion.map((counts, label) => counts[label] as number));
  const f1 = confusion.map((counts, label) => {
    const hits = counts[label] as number;
    const given = sum(confusion.map((row) => row[label] as number));
    return hits === 0 ? 0 : (2 * hits) / (sum(counts) + given);
  });
  return { rows: truth.length, accuracy: right / truth.length, macroF1: sum(f1) / classes, confusion };
}

/** A table for people: rows are the true labels, columns the predicted ones. */
export function confusionTable(labels: readonly string[], confusion: number[][]): string {
  const width = Math.max(10, ...labels.map((label) => label.length)) + 2;
  const header = ['true \\ said', ...labels].map((cell) => cell.padStart(width)).join('');
  const lines = labels.map((label, row) =>
    [label, ...(confusion[row] as number[]).map(String)].map((cell) => cell.padStart(width)).join(''),
  );
  return [header, ...lines].join('\n');
}
