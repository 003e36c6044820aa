/**
 * Makes FIX_REPORT.md out of its template. Placeholders: `{{location FILE SYMBOL}}` becomes the lines of a
 * definition, `{{test FILE TITLE}}` the command that runs the tests whose full title holds TITLE, and `{{exchanges}}`
 * what a real server answered. `{{pending}}` marks a test that is still to be written.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linesOf } from './locations.js';

/** This file runs as dist/test/report/render.js. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const TEMPLATE = 'test/report/fix-report.md';
export const REPORT = 'FIX_REPORT.md';

const EXCHANGES_BEGIN = '<!-- exchanges: written by `npm run report` -->';
const EXCHANGES_END = '<!-- end of exchanges -->';

export interface NamedTest {
  /** Path of the source, `test/unit/….test.ts`. */
  readonly file: string;
  /** Part of a full title: those of its suites and its own, with a space between. */
  readonly title: string;
}

/** Reads a file of the project. */
export function readProject(file: string): string {
  return readFileSync(join(PROJECT_ROOT, file), 'utf8');
}

/** The report; `exchanges` is Markdown. */
export function render(template: string, exchanges: string): string {
  return template
    .replace(/\{\{location (\S+) ([^}]+)\}\}/g, (_, file: string, symbol: string) => location(file, symbol))
    .replace(/\{\{test (\S+) ([^}]+)\}\}/g, (_, file: string, title: string) => command({ file, title }))
    .replaceAll('{{pending}}', 'no test yet')
    .replace('{{exchanges}}', () => `${EXCHANGES_BEGIN}\n\n${exchanges.trim()}\n\n${EXCHANGES_END}`);
}

/** The exchanges of a report made before. */
export function exchangesOf(report: string): string | undefined {
  const begin = report.indexOf(EXCHANGES_BEGIN);
  const end = report.indexOf(EXCHANGES_END);
  return begin === -1 || end === -1 ? undefined : report.slice(begin + EXCHANGES_BEGIN.length, end).trim();
}

export function namedTests(template: string): NamedTest[] {
  return Array.from(template.matchAll(/\{\{test (\S+) ([^}]+)\}\}/g), ([, file, title]) => ({
    file: file!,
    title: title!,
  }));
}

function location(file: string, symbol: string): string {
  try {
    const { first, last } = linesOf(readProject(file), symbol);
    const lines = first === last ? `line ${first}` : `lines ${first}-${last}`;
    return `\`${file}\` ${lines} (${symbol.startsWith('"') ? symbol : `\`${symbol}\``})`;
  } catch (error) {
    throw new Error(`${TEMPLATE}: {{location ${file} ${symbol}}}: ${(error as Error).message}`, { cause: error });
  }
}

function command({ file, title }: NamedTest): string {
  const compiled = `dist/${file.replace(/\.ts$/, '.js')}`;
  const quote = title.includes("'") ? '"' : "'";
  return `\`npx mocha ${compiled} -f ${quote}${title}${quote}\``;
}
