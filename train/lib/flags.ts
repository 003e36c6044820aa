import { parseArgs } from 'node:util';
import { closestMatch } from 'leven';
import { DistilserveError } from '../../src/domain/errors.js';

interface FlagSpec<T> {
  readonly default: T;
  readonly help: string;
  readonly read: (text: string) => T | undefined;
  readonly accepts: string;
}

type Values<S> = { readonly [K in keyof S]: S[K] extends FlagSpec<infer T> ? T : never };

/** A flag that takes any text. */
export function text<T extends string | undefined>(fallback: T, help: string): FlagSpec<T | string> {
  return { default: fallback, help, accepts: 'a text', read: (value) => (value === '' ? undefined : value) };
}

/** A flag that takes a finite number from `min` to `max`. */
export function number(
  fallback: number,
  help: string,
  min = Number.NEGATIVE_INFINITY,
  max = Infinity,
): FlagSpec<number> {
  const accepts = Number.isFinite(max) ? `a number from ${min} to ${max}` : `a number of at least ${min}`;
  return { default: fallback, help, accepts, read: (value) => inRange(Number(value), value, min, max) };
}

/** A flag that takes a finite number above 0. */
export function positive(fallback: number, help: string): FlagSpec<number> {
  const read = (value: string) => inRange(Number(value), value, Number.MIN_VALUE, Infinity);
  return { default: fallback, help, accepts: 'a number above 0', read };
}

/** A flag that takes an integer from `min` to `max`. */
export function integer(fallback: number, help: string, min: number, max = 2 ** 31 - 1): FlagSpec<number> {
  const read = (value: string) => (/^-?\d+$/.test(value) ? inRange(Number(value), value, min, max) : undefined);
  return { default: fallback, help, accepts: `an integer from ${min} to ${max}`, read };
}

/** A flag without a value. */
export function toggle(help: string): FlagSpec<boolean> {
  return { default: false, help, accepts: 'no value', read: (value) => (value === 'true' ? true : undefined) };
}

function inRange(value: number, source: string, min: number, max: number): number | undefined {
  return source.trim() !== '' && Number.isFinite(value) && value >= min && value <= max ? value : undefined;
}

/**
 * Reads `--some-flag value` and `--some_flag=value` by a table of flags; keys of the table are in camel case.
 *
 * `--help` prints the table and ends the process with status 0.
 * @param others where given, takes what is not of the table, in its order, for another reader to judge
 * @throws DistilserveError invalid_config listing every problem at once, an unknown flag with the nearest right one
 */
export function readFlags<S extends Record<string, FlagSpec<unknown>>>(
  specs: S,
  argv: readonly string[],
  others?: string[],
): Values<S> {
  const names = new Map(Object.keys(specs).map((key) => [kebab(key), key]));
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(specs).map(([key, spec]) => [key, spec.default]),
  );
  const problems: string[] = [];
  const options = Object.fromEntries(
    [...names].map(([name, key]) => [name, { type: optionType(specs[key]) }] as const),
  );
  // Underscores count as dashes in names, never in values.
  const args = argv.map((arg) =>
    arg.startsWith('--') ? arg.replace(/^--[^=]*/, (name) => name.replaceAll('_', '-')) : arg,
  );
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true, allowPositionals: true });
  for (const token of tokens) {
    const known = token.kind === 'option' && (token.name === 'help' || names.has(token.name));
    if (others !== undefined && !known) {
      others.push(argv[token.index] as string);
      continue;
    }
    if (token.kind === 'positional') problems.push(`Unexpected argument ${JSON.stringify(token.value)}`);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') {
      process.stdout.write(helpText(specs));
      process.exit(0);
    }
    const key = names.get(token.name);
    const spec = key === undefined ? undefined : specs[key];
    if (key === undefined || spec === undefined) {
      problems.push(`Unknown flag ${token.rawName}; did you mean --${closestMatch(token.name, [...names.keys()])}?`);
      continue;
    }
    const given = givenTo(token, spec);
    const value = spec.read(given);
    if (value === undefined) problems.push(`Expected ${spec.accepts} for ${token.rawName} but received '${given}'`);
    else values[key] = value;
  }
  if (problems.length > 0) throw new DistilserveError('invalid_config', problems.join('\n'));
  return values as Values<S>;
}

/** The next flag is no value: of `--data --epochs 3` the first has none. */
function givenTo(
  token: { value: string | undefined; inlineValue: boolean | undefined },
  spec: FlagSpec<unknown>,
): string {
  if (token.value === undefined) return spec.accepts === 'no value' ? 'true' : '';
  return !token.inlineValue && token.value.startsWith('--') ? '' : token.value;
}

function optionType(spec: FlagSpec<unknown> | undefined): 'boolean' | 'string' {
  return spec?.accepts === 'no value' ? 'boolean' : 'string';
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function helpText(specs: Record<string, FlagSpec<unknown>>): string {
  const lines = Object.entries(specs).map(([key, spec]) => {
    const fallback = spec.default === undefined ? '' : ` (${spec.default})`;
    return `  --${kebab(key).padEnd(18)} ${spec.help}${fallback}`;
  });
  return `${lines.join('\n')}\n`;
}
