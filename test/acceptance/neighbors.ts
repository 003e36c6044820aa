/** Whether the recommendations are of a product's own category: `npm run neighbors`, its figure held against the bar. */
import { runCommand } from '../../src/setup/command.js';
import { runScript } from './lib/run.js';
import { judged, report } from './lib/verdict.js';

const BAR = 0.8;

await runCommand(async (signal) => {
  const { code, output } = await runScript('train/neighbors.js', process.argv.slice(2), signal);
  const check = 'share of the 5 nearest in the own category';
  const bar = `at least ${BAR.toFixed(2)}`;
  const shares = new Map([...output.matchAll(/^ {2}(\S+).* {2}(\d\.\d+)$/gm)].map(([, name, share]) => [name, share]));
  const share = shares.get('encoder');
  if (code !== 0 || share === undefined) report(judged(false, check, `neighbors ended with ${code}`, bar));
  else report(judged(Number(share) >= BAR, check, `${share} (TF-IDF ${shares.get('TF-IDF')})`, bar));
});
