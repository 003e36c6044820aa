/** A text's terms with their weights, of L2 norm 1 (or empty). */
export type TermVector = ReadonlyMap<string, number>;

/**
 * TF-IDF vectors of texts: lower-case words, term count times `ln((1 + n) / (1 + df)) + 1`, normalised, which is
 * scikit-learn's TfidfVectorizer but for single letters and digits, which count as words here.
 */
export function tfIdf(texts: readonly string[]): TermVector[] {
  const counts = texts.map(countTerms);
  const documents = new Map<string, number>();
  for (const terms of counts) {
    for (const term of terms.keys()) documents.set(term, (documents.get(term) ?? 0) + 1);
  }
  return counts.map((terms) => {
    const weights = [...terms].map(([term, count]): [string, number] => {
      const idf = Math.log((1 + texts.length) / (1 + documents.get(term)!)) + 1;
      return [term, count * idf];
    });
    const norm = Math.hypot(...weights.map(([, weight]) => weight));
    return new Map(weights.map(([term, weight]) => [term, weight / norm]));
  });
}

/** Cosine of two such vectors. */
export function termCosine(a: TermVector, b: TermVector): number {
  let sum = 0;
  for (const [term, weight] of a) sum += weight * (b.get(term) ?? 0);
  return sum;
}

function countTerms(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}
