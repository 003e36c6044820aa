/** Qdrant's own OpenAPI document as a judge of requests and answers; it is not part of the project, so it may be absent. */
import { existsSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';

const QDRANT_DOCUMENT = '../shared/qdrant/openapi-1.18.json';

type Json = Record<string, unknown>;

interface Operation {
  readonly parameters?: { name: string; in: string; required?: boolean }[];
  readonly requestBody?: { content: { 'application/json': { schema: Json } } };
  readonly responses: Record<string, { content?: { 'application/json'?: { schema: Json } } }>;
}

export interface Exchange {
  readonly method: string;
  /** With the query string. */
  readonly path: string;
  readonly requestBody: unknown;
  readonly status: number;
  readonly responseBody: unknown;
}

let loaded: QdrantDocument | undefined;

export class QdrantDocument {
  readonly #paths: [RegExp, Record<string, Operation>][];
  readonly #ajv = new Ajv({ strict: false, validateFormats: false, allErrors: false });
  readonly #validators = new Map<Json, ValidateFunction>();

  /** undefined where the document is not there. */
  static load(): QdrantDocument | undefined {
    if (!existsSync(QDRANT_DOCUMENT)) return undefined;
    loaded ??= new QdrantDocument(JSON.parse(readFileSync(QDRANT_DOCUMENT, 'utf8')) as Json);
    return loaded;
  }

  private constructor(document: Json) {
    const { paths, components } = toJsonSchema(document) as {
      paths: Record<string, Record<string, Operation>>;
      components: Json;
    };
    this.#ajv.addSchema({ components }, 'qdrant');
    // Literal paths first: `points/query` would pass as `points/{id}` too.
    this.#paths = Object.entries(paths)
      .sort(([a], [b]) => a.split('{').length - b.split('{').length)
      .map(([path, operations]) => [new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`), operations]);
  }

  /** What is wrong with an exchange; undefined when the document allows it. */
  problem({ method, path, requestBody, status, responseBody }: Exchange): string | undefined {
    const url = new URL(path, 'http://qdrant');
    const named = `${method} ${path}`;
    const operation = this.#paths
      .filter(([pattern]) => pattern.test(url.pathname))
      .map(([, operations]) => operations[method.toLowerCase()])
      .find((one) => one !== undefined);
    if (operation === undefined) return `${named}: not in the document`;
    for (const name of url.searchParams.keys()) {
      if (!operation.parameters?.some((one) => one.in === 'query' && one.name === name)) {
        return `${named}: unknown query parameter ${name}`;
      }
    }
    const schema = operation.requestBody?.content['application/json'].schema;
    const wrong = schema === undefined ? undefined : this.#check(schema, requestBody);
    if (wrong !== undefined) return `${named}: request ${wrong}`;
    if (schema === undefined && requestBody !== undefined) return `${named}: a body where none belongs`;
    const answer = operation.responses[String(status)]?.content?.['application/json']?.schema;
    const answered = answer === undefined ? undefined : this.#check(answer, responseBody);
    return answered === undefined ? undefined : `${named}: answer ${answered}`;
  }

  #check(schema: Json, value: unknown): string | undefined {
    let validate = this.#validators.get(schema);
    if (validate === undefined) {
      validate = this.#ajv.compile(schema);
      this.#validators.set(schema, validate);
    }
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors);
  }
}

/**
 * OpenAPI 3.0 to JSON Schema: `nullable` becomes a type, references point at the schema registered as `qdrant`, and an
 * object with listed properties takes no others: Qdrant ignores a misspelt one, which no test would see.
 */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const { nullable, ...rest } = node as Json;
  const schema: Json = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, toJsonSchema(value)]));
  if (typeof schema.$ref === 'string') schema.$ref = schema.$ref.replace(/^#/, 'qdrant#');
  if (nullable === true) {
    schema.type = typeof schema.type === 'string' ? [schema.type, 'null'] : 'null';
    if (Array.isArray(schema.enum)) schema.enum = [...schema.enum, null];
  }
  if (schema.type === 'object' && 'properties' in schema) schema.additionalProperties ??= false;
  return schema;
}
