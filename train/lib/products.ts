import { DistilserveError } from '../../src/domain/errors.js';
import { LONGEST_PRODUCT_ID, type Product } from '../../src/domain/types.js';
import { isProductId } from '../../src/store/points.js';
import { type Row, readRows } from './rows.js';

/**
 * Reads a catalogue: one product a row with id, name and description; category, brand and price may be missing, and
 * other fields are left out.
 *
 * @throws DistilserveError data_invalid naming file and line: a field missing or of the wrong type, an id twice
 */
export async function readProducts(file: string): Promise<Product[]> {
  const products: Product[] = [];
  const lineOf = new Map<string, number>();
  for await (const row of readRows(file)) {
    const product = toProduct(row);
    const before = lineOf.get(product.id);
    if (before !== undefined)
      throw invalid(row, `Expected every id once but ${quote(product.id)} is in line ${before} too`);
    lineOf.set(product.id, row.line);
    products.push(product);
  }
  if (products.length === 0) throw new DistilserveError('data_invalid', `Expected products in ${file} but it has none`);
  return products;
}

/** What the encoder reads of a product. Not the category: it measures how good the neighbours are. */
export function productText({ name, description }: Product): string {
  return `${name}. ${description}`;
}

function toProduct(row: Row): Product {
  const { id } = row.fields;
  // The last two: POST /recommend takes no such id.
  if (typeof id !== 'string' || !isProductId(id) || id.trim() === '' || [...id].length > LONGEST_PRODUCT_ID) {
    throw invalid(
      row,
      `Expected id to be a text of valid Unicode, not blank, of at most ${LONGEST_PRODUCT_ID} characters but received ${quote(id)}`,
    );
  }
  const category = optional(row, 'category', isText, 'a text');
  const brand = optional(row, 'brand', isText, 'a text');
  const price = optional(row, 'price', isPrice, 'a number of at least 0');
  return {
    id,
    name: required(row, 'name'),
    description: required(row, 'description'),
    ...(category !== undefined && { category }),
    ...(brand !== undefined && { brand }),
    ...(price !== undefined && { price }),
  };
}

function required(row: Row, field: string): string {
  const value = row.fields[field];
  if (isText(value)) return value;
  throw invalid(row, `Expected ${field} to be a text that is not blank but received ${quote(value)}`);
}

function optional<T>(row: Row, field: string, is: (value: unknown) => value is T, accepts: string): T | undefined {
  const value = cell(row, field);
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value;
  throw invalid(row, `Expected ${field} to be ${accepts} or missing but received ${quote(value)}`);
}

/** A field's value; of a table, where there is nothing but text, an empty cell is missing and a price is a number. */
function cell({ fields, textOnly }: Row, field: string): unknown {
  const value = fields[field];
  if (!textOnly || typeof value !== 'string') return value;
  if (value.trim() === '') return undefined;
  return field === 'price' && !Number.isNaN(Number(value)) ? Number(value) : value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function isPrice(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function invalid({ file, line }: Row, message: string): DistilserveError {
  return new DistilserveError('data_invalid', `${file}:${line}: ${message}`);
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
