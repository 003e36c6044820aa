import { DistilserveError } from '../../src/domain/errors.js';
import { readRows } from './rows.js';

export interface Example {
  readonly text: string;
  readonly label: string;
  /** `train` or `test` where the file has a split column. */
  readonly split: string | undefined;
}

export interface ExampleColumns {
  readonly textColumn: string;
  readonly labelColumn: string;
  /** Label as written in the file -> label of the model; undefined keeps labels as they are. */
  readonly labelMap: ReadonlyMap<string, string> | undefined;
}

/**
 * Reads labelled texts. With a label map, rows whose label it does not name are left out and counted.
 *
 * @throws DistilserveError data_invalid naming file and line of a row without text or label
 */
export async function readExamples(
  file: string,
  columns: ExampleColumns,
): Promise<{ examples: Example[]; unmapped: number }> {
  const examples: Example[] = [];
  let unmapped = 0;
  for await (const { line, fields } of readRows(file)) {
    const text = fields[columns.textColumn];
    const raw = fields[columns.labelColumn];
    if (typeof text !== 'string' || text.trim() === '') {
      throw missing(file, line, columns.textColumn, fields);
    }
    if ((typeof raw !== 'string' && typeof raw !== 'number') || raw === '') {
      throw missing(file, line, columns.labelColumn, fields);
    }
    const label = columns.labelMap === undefined ? String(raw) : columns.labelMap.get(String(raw));
    if (label === undefined) unmapped++;
    else if (label !== label.trim()) throw padded(file, line, label);
    else examples.push({ text, label, split: splitOf(fields) });
  }
  if (examples.length === 0) {
    const found = unmapped === 0 ? 'none' : `only ${unmapped} whose label --label-map does not name`;
    throw new DistilserveError('data_invalid', `Expected labelled rows in ${file} but found ${found}`);
  }
  return { examples, unmapped };
}

// 0 and 1 count as named too: held-out rows must not be trained on because their split is a number.
function splitOf({ split }: Readonly<Record<string, unknown>>): string | undefined {
  return split === undefined || split === null ? undefined : String(split);
}

function padded(file: string, line: number, label: string): DistilserveError {
  return new DistilserveError(
    'data_invalid',
    `${file}:${line}: Expected a label without white space around it but received ${JSON.stringify(label)}`,
  );
}

function missing(file: string, line: number, column: string, fields: object): DistilserveError {
  return new DistilserveError(
    'data_invalid',
    `${file}:${line}: Expected a value in column '${column}' (columns: ${Object.keys(fields).join(', ')}); name another with --text-column or --label-column`,
  );
}

/** Reads `0=negative,1=positive`. */
export function parseLabelMap(text: string | undefined): ReadonlyMap<string, string> | undefined {
  if (text === undefined) return undefined;
  const pairs = text.split(',').map((pair) => pair.split('='));
  if (pairs.some((pair) => pair.length !== 2 || pair.includes(''))) {
    throw new DistilserveError(
      'invalid_config',
      `Expected --label-map like 0=negative,1=positive but received ${text}`,
    );
  }
  return new Map(pairs as [string, string][]);
}
