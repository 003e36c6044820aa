import type { Labelled } from './koa.js';

export function answer(texts: readonly string[]): Labelled[] {
  return texts.map(() => ({ label: 'POSITIVE', confidence: 1 }));
}
