/** What a tokenizer.json says when it is a BERT of the kind that the addon's own tokenizer knows, as JSON Schema. */
import { Ajv2020 } from 'ajv/dist/2020.js';

export interface BertAddedToken {
  readonly id: number;
  readonly content: string;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

type SpecialPiece = { readonly SpecialToken: { readonly id: string } };

export interface BertDescription {
  readonly added_tokens: readonly BertAddedToken[];
  readonly normalizer: {
    readonly clean_text: boolean;
    readonly handle_chinese_chars: boolean;
    readonly strip_accents?: boolean | null;
    readonly lowercase: boolean;
  };
  readonly post_processor:
    | {
        readonly type: 'BertProcessing';
        readonly cls: readonly [string, number];
        readonly sep: readonly [string, number];
      }
    | {
        readonly type: 'TemplateProcessing';
        readonly single: readonly [SpecialPiece, unknown, SpecialPiece];
        readonly special_tokens: Readonly<Record<string, { readonly id: string; readonly ids: readonly [number] }>>;
      };
  readonly model: {
    readonly unk_token: string;
    readonly continuing_subword_prefix: string;
    readonly max_input_chars_per_word: number;
    readonly vocab: Readonly<Record<string, number>>;
  };
}

const boolean = { type: 'boolean' };
const string = { type: 'string' };
const integer = { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 };
const direction = { enum: ['Left', 'Right'] };

/** An object that has these properties, and perhaps others, which the core ignores too. */
function object(properties: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}): object {
  return { type: 'object', properties: { ...properties, ...optional }, required: Object.keys(properties) };
}

function tuple(...items: readonly object[]): object {
  return { type: 'array', prefixItems: items, minItems: items.length, items: false };
}

function orNull(schema: object): object {
  return { anyOf: [{ type: 'null' }, schema] };
}

const specialPiece = object({ SpecialToken: object({ id: string, type_id: integer }) });
const sequencePiece = (id: string): object => object({ Sequence: object({ id: { const: id }, type_id: integer }) });

const bertProcessing = object({
  type: { const: 'BertProcessing' },
  cls: tuple(string, integer),
  sep: tuple(string, integer),
});
/** The pair is never used, but the core refuses one that it cannot read. */
const templateProcessing = object({
  type: { const: 'TemplateProcessing' },
  single: tuple(specialPiece, sequencePiece('A'), specialPiece),
  pair: { type: 'array', items: { anyOf: [specialPiece, sequencePiece('A'), sequencePiece('B')] } },
  special_tokens: {
    type: 'object',
    additionalProperties: object({ id: string, ids: tuple(integer), tokens: tuple(string) }),
  },
});

const schema = object(
  {
    version: { const: '1.0' },
    added_tokens: {
      type: 'array',
      items: object({
        id: integer,
        content: { type: 'string', minLength: 1 },
        single_word: { const: false },
        lstrip: boolean,
        rstrip: boolean,
        normalized: boolean,
        special: boolean,
      }),
    },
    normalizer: object(
      { type: { const: 'BertNormalizer' }, clean_text: boolean, handle_chinese_chars: boolean, lowercase: boolean },
      { strip_accents: orNull(boolean) },
    ),
    pre_tokenizer: object({ type: { const: 'BertPreTokenizer' } }),
    post_processor: { anyOf: [bertProcessing, templateProcessing] },
    model: object({
      type: { const: 'WordPiece' },
      unk_token: string,
      continuing_subword_prefix: string,
      max_input_chars_per_word: integer,
      vocab: { type: 'object', additionalProperties: integer },
    }),
  },
  {
    truncation: orNull(
      object(
        { max_length: integer, strategy: { enum: ['LongestFirst', 'OnlyFirst', 'OnlySecond'] }, stride: integer },
        { direction },
      ),
    ),
    padding: orNull(
      object(
        {
          strategy: { anyOf: [{ const: 'BatchLongest' }, object({ Fixed: integer })] },
          direction,
          pad_id: integer,
          pad_type_id: integer,
          pad_token: string,
        },
        { pad_to_multiple_of: orNull(integer) },
      ),
    ),
    decoder: orNull(object({ type: { const: 'WordPiece' }, prefix: string, cleanup: boolean })),
  },
);

const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile<BertDescription>(schema);

export function isBertDescription(description: unknown): description is BertDescription {
  return validate(description);
}
