import type { Neighbor } from '../domain/types.js';

/** Scores no further apart than this are ties: rounding differs between stores, machines and row positions. */
const TIE = 1e-6;

/** How many more candidates than `k` are asked for at first, so that a tie at the cut can be ordered. */
export const TIE_MARGIN = 16;

/**
 * The first `k` candidates by falling score, scores tied with the best of their run by rising id.
 *
 * @param candidates the nearest ones, in any order
 * @param all whether the candidates are everything there is
 * @returns undefined when the tie at the cut may go on past the candidates: ask for more of them
 */
export function rankNeighbors(candidates: readonly Neighbor[], k: number, all: boolean): Neighbor[] | undefined {
  const falling = [...candidates].sort((a, b) => b.score - a.score);
  const ranked: Neighbor[] = [];
  while (ranked.length < Math.min(k, falling.length)) {
    const start = ranked.length;
    const best = falling[start]!.score;
    const end = falling.findIndex(({ score }, position) => position > start && best - score > TIE);
    if (end === -1 && !all) return undefined;
    const run = falling.slice(start, end === -1 ? undefined : end);
    // Compared by code unit: a locale would order ids differently from machine to machine.
    ranked.push(...run.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)));
  }
  if (ranked.length < k && !all) return undefined;
  return ranked.slice(0, k);
}
