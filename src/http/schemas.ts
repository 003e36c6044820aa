/** What the routes accept, as JSON Schema 2020-12, and errors that name the field at fault. */
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { MAX_TEXTS_PER_REQUEST } from '../config.js';
import { DistilserveError } from '../domain/errors.js';
import { LONGEST_PRODUCT_ID } from '../domain/types.js';

export type PredictBody = { readonly text: string } | { readonly texts: readonly string[] };

export interface RecommendBody {
  readonly product_id: string;
  readonly k?: number;
}

interface ObjectSchema {
  readonly properties: Readonly<Record<string, unknown>>;
}

const MAX_NEIGHBORS = 100;
/** More of an unknown key than this is not repeated to the client. */
const LONGEST_QUOTE = 64;

/** Something other than white space, the no-break and ideographic spaces included. */
const notBlank = { type: 'string', pattern: '\\S' };

/** Something to read: what is only white space, control or format characters (zero-width ones, NUL) has no tokens. */
const readable = { type: 'string', pattern: '[^\\s\\p{Cc}\\p{Cf}]' };

const predictSchema = {
  type: 'object',
  properties: {
    text: readable,
    texts: { type: 'array', items: readable, minItems: 1, maxItems: MAX_TEXTS_PER_REQUEST },
  },
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
};

const recommendSchema = {
  type: 'object',
  properties: {
    product_id: { ...notBlank, maxLength: LONGEST_PRODUCT_ID },
    k: { type: 'integer', minimum: 1, maximum: MAX_NEIGHBORS },
  },
  required: ['product_id'],
  additionalProperties: false,
};

// `verbose` puts the value at fault into the error; only its type, its length or a number is ever shown.
const ajv = new Ajv2020({ strict: true, allErrors: false, verbose: true });

/** @throws DistilserveError invalid_request, naming the field */
export const checkPredictBody = checker<PredictBody>(predictSchema);

/** @throws DistilserveError invalid_request, naming the field */
export const checkRecommendBody = checker<RecommendBody>(recommendSchema);

function checker<T>(schema: ObjectSchema): (body: unknown) => T {
  const validate = ajv.compile<T>(schema);
  return (body) => {
    if (validate(body)) return body;
    throw new DistilserveError('invalid_request', describe(validate.errors![0]!, schema));
  };
}

function describe(error: ErrorObject, { properties }: ObjectSchema): string {
  const { keyword, data, params } = error;
  const field = fieldOf(error.instancePath);
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(String(params.additionalProperty), properties);
    case 'minProperties':
      return `Expected exactly one of ${quotedList(properties)} but received neither`;
    case 'maxProperties': {
      const unknown = Object.keys(data as object).find((key) => !Object.hasOwn(properties, key));
      if (unknown !== undefined) return unknownKey(unknown, properties);
      return `Expected exactly one of ${quotedList(properties)} but received both`;
    }
    case 'required':
      return `Expected \`${params.missingProperty}\` but it is missing`;
    case 'pattern':
      return `Expected ${field} to hold something to read but it is ${data === '' ? 'empty' : 'blank'}`;
    case 'maxLength':
      return `Expected ${field} to have at most ${params.limit} characters but it has more`;
    case 'minItems':
    case 'maxItems':
      return `Expected ${field} to hold 1 to ${MAX_TEXTS_PER_REQUEST} texts but received ${(data as unknown[]).length}`;
    case 'minimum':
    case 'maximum':
      return `Expected ${field} to be an integer from 1 to ${MAX_NEIGHBORS} but received ${data}`;
    case 'type':
      return `Expected ${field} to be ${TYPE_NAMES[String(params.type)] ?? params.type} but received ${nameOf(data)}`;
    default:
      throw new Error(`No words for the schema keyword ${keyword}. This is a bug.`);
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a JSON object',
  array: 'an array of strings',
  string: 'a string',
  integer: `an integer from 1 to ${MAX_NEIGHBORS}`,
};

function unknownKey(key: string, properties: ObjectSchema['properties']): string {
  const shown = key.length > LONGEST_QUOTE ? `${key.slice(0, LONGEST_QUOTE)}…` : key;
  return `Expected no keys but ${quotedList(properties)} and received the unknown key \`${shown}\``;
}

/** `/texts/3` is `texts[3]`. */
function fieldOf(instancePath: string): string {
  if (instancePath === '') return 'the body';
  const [name, ...indices] = instancePath.slice(1).split('/');
  return `\`${name}${indices.map((index) => `[${index}]`).join('')}\``;
}

function quotedList(properties: ObjectSchema['properties']): string {
  return Object.keys(properties)
    .map((key) => `\`${key}\``)
    .join(' and ');
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' ? String(value) : `a ${typeof value}`;
}
