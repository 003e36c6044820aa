/** The rules that the project's own reviews keep. */
import { expect } from 'chai';
import { readRows } from '../../train/lib/rows.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';

const FILE = `${PROJECT_ROOT}train/data/reviews.jsonl`;
const RUN = 5;
const LARGEST_SHARE_OF_RUN = 0.005;
const LARGEST_SHARE_OF_WORDS = 0.5;

interface Review {
  readonly id: number;
  readonly text: string;
  readonly label: string;
  readonly split: string;
  /** In lower case, in their order. */
  readonly words: readonly string[];
}

let reviews: Review[];

function count<K>(keys: Iterable<K>): Map<K, number> {
  const counts = new Map<K, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Pairs of rows whose word sets share more than `limit` of 2|A∩B| / (|A| + |B|), by an inverted index. */
function similarPairs(sets: readonly ReadonlySet<string>[], limit: number): [number, number, number][] {
  const rowsWith = new Map<string, number[]>();
  const shared = new Uint16Array(sets.length);
  const pairs: [number, number, number][] = [];
  sets.forEach((words, row) => {
    shared.fill(0, 0, row);
    for (const word of words) {
      const rows = rowsWith.get(word) ?? [];
      for (const other of rows) shared[other]!++;
      rows.push(row);
      rowsWith.set(word, rows);
    }
    for (let other = 0; other < row; other++) {
      const share = (2 * shared[other]!) / (words.size + sets[other]!.size);
      if (share > limit) pairs.push([other, row, share]);
    }
  });
  return pairs;
}

describe('similarPairs(), which the test below relies on', () => {
  it('finds the pairs that share more than half of their words', () => {
    const sets = ['a b c d', 'a b x y', 'a b c z', 'q', 'q'].map((text) => new Set(text.split(' ')));
    expect(similarPairs(sets, 0.5)).to.deep.equal([
      [0, 2, 0.75],
      [3, 4, 1],
    ]);
  });
});

describe('train/data/reviews.jsonl', function () {
  this.timeout(60_000);

  before(async () => {
    reviews = [];
    for await (const { fields } of readRows(FILE)) {
      const { id, text, label, split } = fields as unknown as Review;
      reviews.push({ id, text, label, split, words: text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [] });
    }
  });

  it('has at least 1,500 rows, each with an id of its own, a text, a label and a split', () => {
    expect(reviews.length).to.be.at.least(1500);
    expect(new Set(reviews.map(({ id }) => id)).size).to.equal(reviews.length);
    for (const { id, text, words } of reviews) {
      expect(text.trim(), `text of ${id}`).to.equal(text).and.not.to.equal('');
      expect(words.length, `words of ${id}`).to.be.at.least(1);
    }
  });

  it('is balanced, in each split', () => {
    const counts = count(reviews.map(({ label, split }) => `${split} ${label}`));
    expect([...counts.keys()].sort()).to.deep.equal([
      'test negative',
      'test positive',
      'train negative',
      'train positive',
    ]);
    for (const split of ['train', 'test']) {
      const [negative, positive] = [counts.get(`${split} negative`)!, counts.get(`${split} positive`)!];
      expect(positive / (negative + positive), split).to.be.within(0.48, 0.52);
    }
    expect(reviews.filter(({ split }) => split === 'test').length / reviews.length).to.be.within(0.05, 0.3);
  });

  it('has no text twice, case, punctuation and blanks aside, within a split or across', () => {
    const twice = [...count(reviews.map(({ words }) => words.join(' ')))].filter(([, times]) => times > 1);
    expect(twice).to.deep.equal([]);
  });

  it(`has no run of ${RUN} words in more than ${LARGEST_SHARE_OF_RUN * 100} % of the rows`, () => {
    const runs = reviews.flatMap(({ words }) => {
      const own = words.slice(RUN - 1).map((_, start) => words.slice(start, start + RUN).join(' '));
      return [...new Set(own)];
    });
    const frequent = [...count(runs)].filter(([, rows]) => rows > LARGEST_SHARE_OF_RUN * reviews.length);
    expect(frequent).to.deep.equal([]);
  });

  it('has no two rows that share more than half of their words', () => {
    const pairs = similarPairs(
      reviews.map(({ words }) => new Set(words)),
      LARGEST_SHARE_OF_WORDS,
    );
    const shown = pairs
      .slice(0, 5)
      .map(([a, b, share]) => `${share.toFixed(2)}: ${reviews[a]!.text} | ${reviews[b]!.text}`);
    expect(pairs.length, `${shown.join('\n')}\npairs`).to.equal(0);
  });

  it('is varied: one-word and multi-sentence texts, negation and contrast under both labels', () => {
    const kinds: [string, (review: Review) => boolean][] = [
      ['one word', ({ words }) => words.length === 1],
      ['three sentences or more', ({ text }) => text.split(/[.!?]+(?:\s|$)/).filter(Boolean).length >= 3],
      ['negation', ({ words }) => words.some((word) => /^(not|never|no|nothing|hardly)$|n't$/.test(word))],
      ['contrast', ({ words }) => words.some((word) => /^(but|however|although|though|yet)$/.test(word))],
    ];
    for (const [kind, is] of kinds) {
      for (const label of ['negative', 'positive']) {
        expect(
          reviews.filter((review) => review.label === label && is(review)).length,
          `${kind}, ${label}`,
        ).to.be.at.least(10);
      }
    }
  });
});
