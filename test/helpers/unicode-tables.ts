/**
 * native/unicode_tables.cc, made by asking Hugging Face's core about every code point.
 *
 * Several of the core's crates hold Unicode tables, each of its own version. What the core answers is what counts, so it
 * is asked, and no version has to be known. Code points are asked for in strings of many, with a comma between them, which the core's
 * normalizers leave alone; of that the comma itself is the one exception, and it is known.
 */
import { CORE_VERSION, core } from './core-tokenizers.js';

/** Bits of CharacterClass::flags in native/unicode.h. */
const FLAG = {
  removed: 1,
  blank: 2,
  ideograph: 4,
  decomposes: 8,
  mark: 16,
  uppercase: 32,
  space: 64,
  punctuation: 128,
};

const LAST = 0x10ffff;
const STEP = 4096;
const HANGUL = { first: 0xac00, last: 0xd7a3 };
const DOTTED_I = 0x130;
/** The one character of the highest combining class, 240: every mark of another class moves before it. */
const IOTA_SUBSCRIPT = '\u0345';

interface Facts {
  readonly flags: Uint8Array;
  /** Rank of the canonical combining class; 0 for a starter. */
  readonly ranks: Uint8Array;
  readonly decompositions: Map<number, string>;
  readonly lowercase: Map<number, number>;
}

function* chunks(): Generator<number[]> {
  for (let first = 0; first <= LAST; first += STEP) {
    const codes = Array.from({ length: STEP }, (_, index) => first + index);
    const asked = codes.filter((code) => (code < 0xd800 || code > 0xdfff) && code !== 0x2c);
    if (asked.length > 0) yield asked;
  }
}

/** What `map` makes of each code point, alone but for what surrounds it. */
function* ask(map: (text: string) => string, before = ''): Generator<[code: number, before: string, after: string]> {
  for (const codes of chunks()) {
    const characters = codes.map((code) => String.fromCodePoint(code));
    const answers = map(characters.map((character) => before + character).join(',')).split(',');
    if (answers.length !== codes.length) throw new Error('Expected an answer for each character. This is a bug.');
    for (const [index, code] of codes.entries()) yield [code, characters[index]!, answers[index]!];
  }
}

function bert(option: 'cleanText' | 'handleChineseChars' | 'stripAccents' | 'lowercase'): (text: string) => string {
  const none = { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
  const normalizer = core.bertNormalizer({ ...none, [option]: true });
  return (text) => normalizer.normalizeString(text);
}

function gather(): Facts {
  const facts: Facts = {
    flags: new Uint8Array(LAST + 1),
    ranks: new Uint8Array(LAST + 1),
    decompositions: new Map(),
    lowercase: new Map(),
  };
  const { flags } = facts;
  const set = (code: number, flag: number): void => {
    flags[code]! |= flag;
  };
  for (const [code, before, after] of ask(bert('cleanText'))) {
    if (after === '') set(code, FLAG.removed);
    else if (after === ' ' && before !== ' ') set(code, FLAG.blank);
    else expectSame(code, after, before);
  }
  for (const [code, before, after] of ask(bert('handleChineseChars'))) {
    if (after === ` ${before} `) set(code, FLAG.ideograph);
    else expectSame(code, after, before);
  }
  gatherWords(set);
  gatherDecompositions(facts, set);
  gatherLowercase(facts, set);
  return facts;
}

function gatherWords(set: (code: number, flag: number) => void): void {
  const preTokenizer = core.bertPreTokenizer();
  set(0x2c, FLAG.punctuation);
  for (const codes of chunks()) {
    const text = codes.map((code) => `a${String.fromCodePoint(code)}b`).join(',');
    const words = preTokenizer.preTokenizeString(text).map(([word]) => word);
    // Each is "a?b", "a" "b" or "a" "?" "b", and a comma stands between them.
    let at = 0;
    for (const code of codes) {
      if (words[at] === 'a') set(code, words[at + 1] === 'b' ? FLAG.space : FLAG.punctuation);
      at = words.indexOf(',', code === 0x2c ? at + 2 : at) + 1;
    }
  }
}

function gatherDecompositions(
  { flags, ranks, decompositions }: Facts,
  set: (code: number, flag: number) => void,
): void {
  const nfd = core.nfdNormalizer();
  const decompose = (text: string): string => nfd.normalizeString(text);
  for (const [code, before, after] of ask(decompose)) {
    if (after === before) continue;
    set(code, FLAG.decomposes);
    if (code < HANGUL.first || code > HANGUL.last) decompositions.set(code, after);
    else expectSame(code, after, decomposedHangul(code));
  }
  for (const [code, before, after] of ask(bert('stripAccents'))) {
    if (after === '' && (flags[code]! & FLAG.decomposes) === 0) set(code, FLAG.mark);
    else if ((flags[code]! & FLAG.decomposes) === 0) expectSame(code, after, before);
  }
  const marks: number[] = [IOTA_SUBSCRIPT.codePointAt(0)!];
  for (const [code, before, after] of ask(decompose, `a${IOTA_SUBSCRIPT}`)) {
    if ((flags[code]! & FLAG.decomposes) === 0 && after === `a${before}${IOTA_SUBSCRIPT}`) marks.push(code);
  }
  rankMarks(marks, flags, ranks, decompose);
}

/** Marks that are removed need no rank of their own: only that they are no starters counts. */
function rankMarks(marks: number[], flags: Uint8Array, ranks: Uint8Array, decompose: (text: string) => string): void {
  const kept = marks.filter((code) => (flags[code]! & FLAG.mark) === 0);
  for (const code of marks) ranks[code] = 1;
  const moves = (first: number, second: number): boolean => {
    const text = String.fromCodePoint(0x61, first, second);
    return decompose(text) !== text;
  };
  kept.sort((a, b) => Number(moves(a, b)) - Number(moves(b, a)) || a - b);
  let rank = 1;
  for (const [index, code] of kept.entries()) {
    if (index > 0 && moves(code, kept[index - 1]!)) rank++;
    ranks[code] = rank;
  }
}

function gatherLowercase({ lowercase }: Facts, set: (code: number, flag: number) => void): void {
  for (const [code, before, after] of ask(bert('lowercase'))) {
    if (after === before) continue;
    set(code, FLAG.uppercase);
    // The only one that becomes two characters; native/unicode.cc knows it.
    if (code === DOTTED_I) expectSame(code, after, 'i\u0307');
    else if ([...after].length === 1) lowercase.set(code, after.codePointAt(0)!);
    else throw new Error(`Expected one character for U+${code.toString(16)} in lower case. Extend native/unicode.cc.`);
  }
}

function decomposedHangul(code: number): string {
  const index = code - HANGUL.first;
  const trailing = index % 28;
  return String.fromCodePoint(
    0x1100 + Math.floor(index / 588),
    0x1161 + Math.floor((index % 588) / 28),
    ...(trailing > 0 ? [0x11a7 + trailing] : []),
  );
}

function expectSame(code: number, actual: string, expected: string): void {
  if (actual === expected) return;
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  throw new Error(`Expected ${wanted} for U+${code.toString(16)} but received ${is}. Extend native/unicode.cc.`);
}

/** Runs [first, last] of every second or of every code point that are lowered by the same difference. */
function lowercaseRuns(lowercase: ReadonlyMap<number, number>): number[][] {
  const runs: number[][] = [];
  for (const [code, lower] of lowercase) {
    const run = runs.at(-1);
    const gap = run === undefined ? 0 : code - run[1]!;
    const fits = run !== undefined && lower - code === run[3] && gap <= 2 && (run[0] === run[1] || gap === run[2]);
    if (fits) [run[1], run[2]] = [code, gap];
    else runs.push([code, code, 1, lower - code]);
  }
  return runs;
}

function hexadecimal(value: number): string {
  return value < 10 ? String(value) : `0x${value.toString(16)}`;
}

function array(declaration: string, values: readonly string[]): string {
  const lines: string[] = [''];
  for (const value of values) {
    if (lines.at(-1)!.length + value.length + 2 > 96) lines.push('');
    lines[lines.length - 1] += ` ${value},`;
  }
  return `${declaration} = {\n${lines.map((line) => `   ${line}\n`).join('')}};\n`;
}

/** The text of native/unicode_tables.cc. */
export function unicodeTables(): string {
  const { flags, ranks, decompositions, lowercase } = gather();
  const classes: number[] = [];
  const runs: number[] = [];
  for (let code = 0, previous = -1; code <= LAST; code++) {
    const key = (ranks[code]! << 8) | flags[code]!;
    if (key === previous) continue;
    if (!classes.includes(key)) classes.push(key);
    runs.push(code * 256 + classes.indexOf(key));
    previous = key;
  }
  if (classes.length > 256) throw new Error(`Expected at most 256 classes but there are ${classes.length}`);
  const decomposed = [...decompositions].flatMap(([code, text]) => [
    code,
    ...Array.from(text, (character) => character.codePointAt(0)!),
    0,
  ]);
  return `// Made by test/fixtures/make-unicode-tables.ts out of what tokenizers ${CORE_VERSION} (npm) answers. Not to be edited.

#include "unicode_tables.h"

#include <iterator>

namespace distilserve {

${array(
  'const CharacterClass kClasses[]',
  classes.map((key) => `{${key & 255}, ${key >> 8}}`),
)}const size_t kClassCount = std::size(kClasses);

${array('const uint32_t kClassRuns[]', runs.map(hexadecimal))}const size_t kClassRunCount = std::size(kClassRuns);

${array('const char32_t kDecompositions[]', decomposed.map(hexadecimal))}const size_t kDecompositionLength = std::size(kDecompositions);

${array(
  'const LowercaseRun kLowercaseRuns[]',
  lowercaseRuns(lowercase).map(
    ([first, last, step, by]) => `{${hexadecimal(first!)}, ${hexadecimal(last!)}, ${step}, ${by}}`,
  ),
)}const size_t kLowercaseRunCount = std::size(kLowercaseRuns);

}  // namespace distilserve
`;
}
