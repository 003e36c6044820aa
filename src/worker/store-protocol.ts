/** What the embedded store and its thread say to each other. */
import type { PackedPoints } from '../store/points.js';

export interface StoreWorkerData {
  readonly path: string;
  readonly encoderDigest: string | undefined;
}

export type StoreTask =
  | { readonly kind: 'neighbors'; readonly productId: string; readonly k: number }
  | { readonly kind: 'count' }
  | { readonly kind: 'replace'; readonly points: PackedPoints; readonly encoderDigest: string };
