/** The only reader of `process.env` and of the server's flags: one table of settings, one frozen {@link Config}. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { closestMatch } from 'leven';
import { DistilserveError } from './domain/errors.js';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly modelDir: string;
  readonly encoderDir: string;
  readonly store: 'embedded' | 'qdrant';
  readonly storePath: string;
  readonly qdrantUrl: string | undefined;
  readonly qdrantApiKey: string | undefined;
  readonly qdrantCollection: string;
  readonly qdrantTimeoutMs: number;
  readonly device: string;
  readonly dtype: string;
  readonly workers: number;
  readonly maxQueue: number;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: string;
  /** MODEL_DIR was given by flag or environment, so nothing may be prepared there. */
  readonly modelDirGiven: boolean;
  /** ENCODER_DIR was given by flag or environment, so nothing may be prepared there. */
  readonly encoderDirGiven: boolean;
  /** STORE_PATH was given by flag or environment, so nothing may be seeded there. */
  readonly storePathGiven: boolean;
}

type Given = 'modelDirGiven' | 'encoderDirGiven' | 'storePathGiven';
type Key = Exclude<keyof Config, Given>;
type Value = string | number | undefined;

/** What a setting accepts: in words, and as the function that gives its value or undefined for a text it refuses. */
interface Kind {
  readonly accepts: string;
  readonly parse: (text: string) => Value;
}

interface Setting {
  readonly key: Key;
  readonly env: string;
  readonly flag: string;
  readonly kind: Kind;
  readonly default: Value;
  /** Shown instead of the default where that depends on the machine. */
  readonly defaultText?: string;
  readonly description: string;
}

/** 256 texts are the most that one request may carry: they must fit into an empty queue. */
export const MAX_TEXTS_PER_REQUEST = 256;

const TEXT: Kind = { accepts: 'text', parse: (text) => (text.trim() === '' ? undefined : text) };
const HTTP_URL: Kind = { accepts: 'an http(s) URL without user and password', parse: parseHttpUrl };
/** What a header can carry; another text would be quoted by the HTTP client that refuses it. */
const SECRET: Kind = pattern('visible ASCII characters', /^[\x21-\x7e]+$/);
const DEVICE: Kind = pattern('auto, cpu or cuda:N', /^(auto|cpu|cuda:\d{1,3})$/);

const SETTINGS: readonly Setting[] = [
  setting('host', 'HOST', TEXT, '127.0.0.1', 'Address to listen on'),
  setting('port', 'PORT', integer(0, 65535), 8080, 'Port to listen on; 0 takes a free one'),
  setting('modelDir', 'MODEL_DIR', TEXT, 'models/sentiment', 'Model directory of the classifier'),
  setting('encoderDir', 'ENCODER_DIR', TEXT, 'models/encoder', 'Model directory of the encoder that embeds products'),
  setting('store', 'STORE', oneOf('embedded', 'qdrant'), 'embedded', 'Where product embeddings are kept'),
  setting('storePath', 'STORE_PATH', TEXT, 'data/products.store', 'File of the embedded store'),
  setting('qdrantUrl', 'QDRANT_URL', HTTP_URL, undefined, 'Address of Qdrant; required with STORE=qdrant'),
  setting('qdrantApiKey', 'QDRANT_API_KEY', SECRET, undefined, 'API key of Qdrant; never logged; `ps` shows flags'),
  setting('qdrantCollection', 'QDRANT_COLLECTION', TEXT, 'products', 'Collection in Qdrant'),
  setting('qdrantTimeoutMs', 'QDRANT_TIMEOUT_MS', integer(1, 600_000), 1000, 'Deadline of one call to Qdrant, in ms'),
  setting('device', 'DEVICE', DEVICE, 'auto', 'Where the model computes; auto takes a GPU where there is one'),
  setting(
    'dtype',
    'DTYPE',
    oneOf('auto', 'float32', 'bfloat16', 'float16', 'int8'),
    'auto',
    'Number format; auto is float32',
  ),
  {
    ...setting(
      'workers',
      'WORKERS',
      integer(1, 256),
      availableParallelism(),
      'Worker threads over one copy of the weights',
    ),
    defaultText: 'number of cores',
  },
  setting('maxQueue', 'MAX_QUEUE', integer(MAX_TEXTS_PER_REQUEST, 1e6), 2048, 'Texts that may wait; beyond it 429'),
  setting('maxBodyBytes', 'MAX_BODY_BYTES', integer(1024, 2 ** 30), 2 ** 20, 'Largest request body; beyond it 413'),
  setting(
    'requestTimeoutMs',
    'REQUEST_TIMEOUT_MS',
    integer(1, 3_600_000),
    30_000,
    'Deadline of a request, in ms; beyond it 504',
  ),
  setting(
    'shutdownTimeoutMs',
    'SHUTDOWN_TIMEOUT_MS',
    integer(1, 3_600_000),
    30_000,
    'How long a stop waits for requests in flight, in ms',
  ),
  setting(
    'logLevel',
    'LOG_LEVEL',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'Least level logged',
  ),
];

const FLAGS: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((one) => [one.flag, one]));

/**
 * Reads every setting: a flag wins over the environment, an empty environment variable counts as not set.
 *
 * @throws DistilserveError invalid_config, listing every problem at once
 */
export function loadConfig(
  argv: readonly string[] = process.argv.slice(2),
  env: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const problems: string[] = [];
  const flags = readFlags(argv, problems);
  const given = new Set<Key>();
  const values: Partial<Record<Key, Value>> = {};
  for (const one of SETTINGS) {
    const fromFlag = flags.get(one);
    const text = fromFlag ?? (env[one.env] || undefined);
    const value = text === undefined ? one.default : one.kind.parse(text);
    values[one.key] = value;
    if (text === undefined) continue;
    given.add(one.key);
    if (value === undefined) problems.push(wrongValue(one, fromFlag === undefined ? one.env : one.flag, text));
  }
  if (values.store === 'qdrant' && !given.has('qdrantUrl')) {
    problems.push(
      'Expected QDRANT_URL with STORE=qdrant but it is not set; give it, for example http://127.0.0.1:6333',
    );
  }
  if (problems.length > 0) throw new DistilserveError('invalid_config', problems.join('\n'));
  // Every key of the table was filled above, each by the parser that belongs to it.
  const settings = values as Omit<Config, Given>;
  return Object.freeze({
    ...settings,
    modelDirGiven: given.has('modelDir'),
    encoderDirGiven: given.has('encoderDir'),
    storePathGiven: given.has('storePath'),
  });
}

/** The README's settings table in Markdown. */
export function settingsTable(): string {
  const rows = SETTINGS.map((one) => {
    const shown = one.defaultText ?? (one.default === undefined ? '' : `\`${one.default}\``);
    return `| \`${one.env}\` | \`${one.flag}\` | ${shown} | ${one.kind.accepts} | ${one.description} |`;
  });
  return ['| Environment | Flag | Default | Accepted | Meaning |', '| --- | --- | --- | --- | --- |', ...rows, ''].join(
    '\n',
  );
}

function setting(key: Key, env: string, kind: Kind, fallback: Value, description: string): Setting {
  return { key, env, flag: `--${env.toLowerCase().replaceAll('_', '-')}`, kind, default: fallback, description };
}

function pattern(accepts: string, expression: RegExp): Kind {
  return { accepts, parse: (text) => (expression.test(text) ? text : undefined) };
}

function oneOf(...words: string[]): Kind {
  return { accepts: `one of ${words.join(', ')}`, parse: (text) => (words.includes(text) ? text : undefined) };
}

function integer(min: number, max: number): Kind {
  const parse = (text: string): number | undefined => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  };
  return { accepts: `an integer, ${min} to ${max}`, parse };
}

function parseHttpUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? text : undefined;
}

function readFlags(argv: readonly string[], problems: string[]): Map<Setting, string> {
  // Underscores and dashes are the same in a flag's name, never in its value.
  const args = argv.map((arg) => arg.replace(/^--[^=]*/, (name) => name.replaceAll('_', '-')));
  const options = Object.fromEntries(SETTINGS.map((one) => [one.flag.slice(2), { type: 'string' as const }]));
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true, allowPositionals: true });
  const found = new Map<Setting, string>();
  let afterUnknown = false;
  for (const token of tokens) {
    // What follows an unknown flag is its value: said once, and not repeated, for it may be a misspelt flag's secret.
    if (token.kind === 'positional' && !afterUnknown)
      problems.push(`Expected only flags but received ${quote(token.value)}`);
    afterUnknown = false;
    if (token.kind !== 'option') continue;
    const known = FLAGS.get(token.rawName);
    afterUnknown = !known;
    if (!known) problems.push(unknownFlag(token.rawName));
    else if (token.value === undefined) problems.push(`Expected a value after ${known.flag} but received none`);
    else if (found.has(known)) problems.push(`Expected ${known.flag} once but it was given more than once`);
    else found.set(known, token.value);
  }
  return found;
}

function unknownFlag(name: string): string {
  const nearest = closestMatch(name, [...FLAGS.keys()]);
  return `Expected a known flag but received ${quote(name)}; did you mean ${nearest}?`;
}

function wrongValue({ key, kind }: Setting, name: string, text: string): string {
  // A URL may hold a password; the key is one.
  const hidden = key === 'qdrantApiKey' || key === 'qdrantUrl';
  return `Expected ${name} to be ${kind.accepts} but received ${hidden ? 'a value that is not shown here' : quote(text)}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
