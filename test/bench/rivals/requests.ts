/**
 * The race's requests: reviews out of phrases, drawn by a seed, with lengths as texts have them. Lengths in tokens are
 * lognormal, median 20, mean 25, at most 128.
 */
import { randomNumbers } from '../../../train/lib/random.js';

export interface RaceTexts {
  readonly short: readonly [string];
  /** Of requests with one text each. */
  readonly singles: readonly string[];
  /** Of requests with 32 texts each. */
  readonly batches: readonly (readonly string[])[];
}

export const ROWS_PER_BATCH = 32;
export const MEDIAN_TOKENS = 20;
export const MEAN_TOKENS = 25;
export const MOST_TOKENS = 128;
const FEWEST_TOKENS = 4;
const SINGLES = 512;
const BATCHES = 16;
const SEED = 2_718_281;
/** [CLS] and [SEP]. */
const SPECIAL_TOKENS = 2;
/** A lognormal's mean is its median times exp(deviation² / 2). */
const DEVIATION = Math.sqrt(2 * Math.log(MEAN_TOKENS / MEDIAN_TOKENS));

/** Words of more than one token in BERT's vocabulary; every other word below is one. A test counts them. */
const TOKENS: Readonly<Record<string, number>> = {
  overpriced: 4,
  waterproof: 2,
  headphones: 2,
  touchscreen: 2,
  bluetooth: 2,
  firmware: 2,
  flimsy: 3,
  refund: 2,
  warranty: 2,
  charger: 2,
};

const THINGS = words(`
  phone screen battery camera book story film album meal kitchen restaurant hotel room bed flight seat ticket price
  design colour box parcel manual cable speaker keyboard mouse laptop tablet watch jacket shirt dress bag lamp chair
  table desk mattress kettle coffee machine knife pan bottle filter engine bike tent rope brush headphones touchscreen
  firmware charger warranty refund`);
const PEOPLE = words('i we they you he she everyone nobody');
const ASIDES = [
  'after two weeks',
  'on the second day',
  'for the price',
  'in the end',
  'out of the box',
  'with my old one',
  'during the night',
  'at first',
  'since the last update',
  'without any help',
  'over bluetooth',
  'in the rain',
];
const LINKS = words('and but because although while so until');
const QUALITIES = words(`
  good bad great awful terrible amazing wonderful horrible boring exciting slow fast cheap expensive clean dirty fresh
  cold warm soft hard heavy bright dark loud quiet broken perfect useless helpful friendly rude simple strange beautiful
  ugly solid fragile comfortable crisp smooth rough sharp dull overpriced waterproof flimsy unreliable disappointing`);
const DEGREES = words('very really quite too so rather almost never still');
const DEEDS = words('loved hated liked enjoyed returned ordered replaced repaired cleaned bought sold recommended');
const EVENTS = words('works failed broke arrived stopped leaked cracked faded charged fits sounds');

/** Phrases with holes, each filled with one of its words. */
const PHRASES: readonly (readonly (string | readonly string[])[])[] = [
  ['the', THINGS, 'is', DEGREES, QUALITIES],
  ['my', THINGS, EVENTS, ASIDES],
  [PEOPLE, DEEDS, 'the', THINGS],
  [PEOPLE, 'would', 'not', 'buy', 'this', THINGS, 'again'],
  ['a', QUALITIES, THINGS, 'with', 'a', QUALITIES, THINGS],
  ['the', THINGS, 'and', 'the', THINGS, 'are', QUALITIES],
  [ASIDES, 'the', THINGS, EVENTS],
  ['customer', 'service', 'was', DEGREES, QUALITIES],
  ['not', 'as', QUALITIES, 'as', 'the', 'last', THINGS],
  [PEOPLE, 'asked', 'for', 'a', THINGS, 'and', 'got', 'a', QUALITIES, THINGS],
];

/** The same at every call. */
export function makeRaceTexts(): RaceTexts {
  const random = randomNumbers(SEED);
  const text = (): string => makeReview(drawLength(random), random);
  const several = (count: number): string[] => Array.from({ length: count }, text);
  return {
    short: ['Great product!'],
    singles: several(SINGLES),
    batches: Array.from({ length: BATCHES }, () => several(ROWS_PER_BATCH)),
  };
}

/** Tokens that BERT's tokenizer makes of a text of these phrases, special ones included. */
export function countTokens(text: string): number {
  const parts = text.toLowerCase().match(/[a-z]+|[.,!]/g) ?? [];
  return parts.reduce((sum, part) => sum + (TOKENS[part] ?? 1), SPECIAL_TOKENS);
}

function drawLength(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const tokens = Math.round(MEDIAN_TOKENS * Math.exp(DEVIATION * normal));
  return Math.min(MOST_TOKENS, Math.max(FEWEST_TOKENS, tokens));
}

/** Phrase after phrase up to exactly `tokens` tokens; the last one may break off. */
function makeReview(tokens: number, random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  let left = tokens - SPECIAL_TOKENS;
  const said: string[] = [];
  const say = (word: string): void => {
    // A word of several tokens that no longer fits gives way to one that does.
    const fitting = (TOKENS[word] ?? 1) <= left ? word : pick(DEEDS);
    said.push(fitting);
    left -= TOKENS[fitting] ?? 1;
  };
  while (left > 0) {
    for (const part of pick(PHRASES)) {
      for (const word of (typeof part === 'string' ? part : pick(part)).split(' ')) if (left > 0) say(word);
    }
    if (left < 2) continue;
    if (random() < 0.5) {
      said.push(`${said.pop()}${pick(['.', ',', '!'])}`);
      left--;
    } else say(pick(LINKS));
  }
  const review = said.join(' ');
  return `${review[0]!.toUpperCase()}${review.slice(1)}`;
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
