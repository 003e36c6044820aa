/** No rival but a floor: Koa and one Piscina task a request, which answers without computing anything. PORT. */
import { Piscina } from 'piscina';
import { type Labelled, servePredictions } from './koa.js';

const pool = new Piscina<readonly string[], Labelled[]>({
  filename: new URL('./bare-worker.js', import.meta.url).href,
  name: 'answer',
});

servePredictions((texts) => pool.run(texts));
