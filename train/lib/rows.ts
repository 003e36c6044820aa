import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { DistilserveError, messageOf } from '../../src/domain/errors.js';

/** One record of a data file and the line it ends on, for messages. */
export interface Row {
  readonly file: string;
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Of a .csv or .tsv: every field is a text, numbers too, and a missing one is an empty text. */
  readonly textOnly: boolean;
}

/**
 * Reads a .jsonl, .csv (RFC 4180) or .tsv (no quoting: `"` is a plain character) file, each also .gz, row by row.
 *
 * @throws DistilserveError data_invalid naming file and line
 */
export async function* readRows(file: string): AsyncGenerator<Row> {
  const format = /\.(jsonl|csv|tsv)(\.gz)?$/.exec(file)?.[1];
  if (format === undefined) {
    throw new DistilserveError(
      'data_invalid',
      `Expected a .jsonl, .csv or .tsv file (or one with .gz) but received ${file}`,
    );
  }
  await access(file).catch((error: unknown) => {
    throw new DistilserveError('data_invalid', `Expected a readable file: ${messageOf(error)}`);
  });
  const stream = openStream(file);
  try {
    yield* format === 'jsonl' ? readJsonLines(file, stream) : readTable(file, stream, format === 'tsv');
  } catch (error) {
    if (error instanceof DistilserveError) throw error;
    throw new DistilserveError('data_invalid', `Cannot read ${file}: ${messageOf(error)}`, { cause: error });
  } finally {
    stream.destroy();
  }
}

// UTF-8 that does not decode is an error: as U+FFFD it would be trained on as other text.
function openStream(file: string): Readable {
  const raw = createReadStream(file);
  const bytes = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (error) => bytes.destroy(error));
  return bytes.compose(async function* (chunks: AsyncIterable<Buffer>) {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } as never);
}

async function* readJsonLines(file: string, stream: Readable): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
    line++;
    if (text.trim() === '') continue;
    let fields: unknown;
    try {
      fields = JSON.parse(text);
    } catch (error) {
      throw new DistilserveError('data_invalid', `${file}:${line}: Expected JSON: ${messageOf(error)}`);
    }
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new DistilserveError('data_invalid', `${file}:${line}: Expected a JSON object`);
    }
    yield { file, line, fields: fields as Record<string, unknown>, textOnly: false };
  }
}

async function* readTable(file: string, stream: Readable, tabs: boolean): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    delimiter: tabs ? '\t' : ',',
    quote: tabs ? false : '"',
    // All of them: left to find one out, the parser takes the first line's for every line.
    record_delimiter: ['\r\n', '\n', '\r'],
    columns: (header: string[]) => {
      const twice = header.find((name, index) => header.indexOf(name) !== index);
      if (twice !== undefined) {
        throw new DistilserveError(
          'data_invalid',
          `${file}:1: Expected different column names but '${twice}' is there twice`,
        );
      }
      return header;
    },
    info: true,
    skip_empty_lines: true,
  });
  stream.on('error', (error) => parser.destroy(error));
  stream.pipe(parser);
  for await (const { record, info } of parser as AsyncIterable<{
    record: Record<string, string>;
    info: { lines: number };
  }>) {
    yield { file, line: info.lines, fields: record, textOnly: true };
  }
}
