/** Reads a request's JSON body: bounded, strictly UTF-8, never unpacked. */
import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import getRawBody from 'raw-body';
import { DistilserveError, messageOf } from '../domain/errors.js';

const JSON_TYPE = /^application\/(?:[\w!#$&^.-]+\+)?json$/i;
const CHARSET = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]*))/i;

/** What an `Expect` header asks of a server of HTTP/1.1; version 1.0 knows no such header. */
export function expectationOf(req: IncomingMessage): 'none' | 'continue' | 'unknown' {
  if (req.headers.expect === undefined || req.httpVersion !== '1.1') return 'none';
  return /^100-continue$/i.test(req.headers.expect.trim()) ? 'continue' : 'unknown';
}

/**
 * The parsed body. A byte order mark is taken off; of a repeated key the last one counts, as in `JSON.parse`.
 *
 * @throws DistilserveError unsupported_media_type, payload_too_large, invalid_json
 */
export async function readJson(ctx: Context, maxBytes: number): Promise<unknown> {
  checkType(ctx.get('Content-Type'));
  checkEncoding(ctx.get('Content-Encoding'));
  const bytes = await readBytes(ctx, maxBytes);
  if (bytes.length === 0) throw new DistilserveError('invalid_json', 'Expected a JSON body but received an empty one');
  const text = decode(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // V8's message quotes the body, which is the client's text: only the place is told.
    const place = /at position \d+/.exec(messageOf(error))?.[0];
    throw new DistilserveError(
      'invalid_json',
      `Expected the body to be JSON but it is malformed${place ? ` ${place}` : ''}`,
    );
  }
}

function checkType(header: string): void {
  const type = header.split(';', 1)[0]!.trim();
  if (type !== '' && !JSON_TYPE.test(type)) {
    throw new DistilserveError(
      'unsupported_media_type',
      `Expected Content-Type application/json but received ${quote(type)}; send the body as JSON under that type`,
    );
  }
  const found = CHARSET.exec(header);
  const charset = found ? (found[1] ?? found[2] ?? '') : 'utf-8';
  if (!/^utf-?8$/i.test(charset)) {
    throw new DistilserveError(
      'unsupported_media_type',
      `Expected the body in charset utf-8 but received ${quote(charset)}; encode it as UTF-8`,
    );
  }
}

function checkEncoding(header: string): void {
  if (/^(identity)?$/i.test(header.trim())) return;
  throw new DistilserveError(
    'unsupported_media_type',
    `Expected no Content-Encoding but received ${quote(header)}; send the body as it is`,
  );
}

async function readBytes(ctx: Context, maxBytes: number): Promise<Buffer> {
  // Not Koa's `request.length`, which wraps round at 2^31.
  const { 'content-length': header } = ctx.req.headers;
  const announced = header === undefined ? null : Number(header);
  if (announced !== null && announced > maxBytes) throw tooLarge(maxBytes);
  // Any other answer to such a request makes Node close the connection: nobody knows whether the body still comes.
  if (expectationOf(ctx.req) === 'continue') ctx.res.writeContinue();
  try {
    return await getRawBody(ctx.req, { limit: maxBytes, length: announced });
  } catch (error) {
    if (hasType(error) && error.type === 'entity.too.large') throw tooLarge(maxBytes);
    throw new DistilserveError('invalid_json', 'Expected a whole JSON body but the request ended before it', {
      cause: error,
    });
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DistilserveError('invalid_json', 'Expected a JSON body in UTF-8 but received bytes that are not', {
      cause: error,
    });
  }
}

function tooLarge(maxBytes: number): DistilserveError {
  return new DistilserveError(
    'payload_too_large',
    `Expected a body of at most ${maxBytes} bytes but received more; split it into several requests`,
  );
}

function hasType(error: unknown): error is { type: unknown } {
  return typeof error === 'object' && error !== null && 'type' in error;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
