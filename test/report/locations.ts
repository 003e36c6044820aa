/**
 * Finds where a definition begins and ends, so that no document holds line numbers typed by hand.
 *
 * It goes by indentation: the sources are formatted, so a definition ends with the first closing bracket that stands
 * where its first line begins.
 */

/** Line numbers from 1, both inclusive. */
export interface Lines {
  readonly first: number;
  readonly last: number;
}

/**
 * The lines of a definition in TypeScript or C++.
 *
 * @param symbol `name` of a function, class, interface or constant; `Class.member`; C++'s `Class::member`, defined inside
 *   the class or outside it; or `"text"`, the one line that holds the text
 * @throws Error when the symbol is not found or found twice
 */
export function linesOf(source: string, symbol: string): Lines {
  const lines = source.split('\n');
  const quoted = /^"(.+)"$/.exec(symbol)?.[1];
  if (quoted !== undefined) {
    const at = only(lines, symbol, (line) => line.includes(quoted));
    return { first: at + 1, last: at + 1 };
  }
  const first = startOf(lines, symbol);
  return { first: first + 1, last: endOf(lines, first) + 1 };
}

function startOf(lines: readonly string[], symbol: string): number {
  const [, outer, member] = /^(\w+)(?:::|\.)(~?\w+)$/.exec(symbol) ?? [];
  const top = topLevel(symbol);
  // `Trainer::step(` stands at the margin where it is defined outside its class.
  if (outer === undefined || lines.some((line) => top.test(line))) return only(lines, symbol, (line) => top.test(line));
  const start = startOf(lines, outer);
  const end = endOf(lines, start);
  const inside = new RegExp(`^ {2}(?! )(?:[\\w:<>,*&\\[\\] ]+ )?#?${member}(?:<[^>]*>)?\\(`);
  return only(lines, symbol, (line, at) => at > start && at < end && inside.test(line));
}

function topLevel(name: string): RegExp {
  const typescript = `(?:export )?(?:default )?(?:abstract )?(?:async )?(?:function\\*?|class|interface|type|const|struct) ${name}\\b`;
  const cpp = `[A-Za-z][\\w:<>,*& ]*[ *&]${name}\\(|${name}\\(`;
  return new RegExp(`^(?:${typescript}|${cpp})`);
}

function endOf(lines: readonly string[], first: number): number {
  const header = lines.findIndex((line, at) => at >= first && /[{[;}]$/.test(line));
  if (header === -1) throw new Error(`Expected an end to the definition that begins in line ${first + 1}`);
  if (/[;}]$/.test(lines[header]!)) return header;
  const indent = /^ */.exec(lines[first]!)![0];
  const closing = new RegExp(`^${indent}[})\\]]+(?: as const)?[;,]?$`);
  const last = lines.findIndex((line, at) => at > header && closing.test(line));
  if (last === -1) throw new Error(`Expected an end to the definition that begins in line ${first + 1}`);
  return last;
}

function only(lines: readonly string[], symbol: string, is: (line: string, at: number) => boolean): number {
  const found = lines.flatMap((line, at) => (is(line, at) ? [at] : []));
  if (found.length === 1) return found[0]!;
  throw new Error(`Expected ${symbol} once in the file but found it ${found.length} times`);
}
