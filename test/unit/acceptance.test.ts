import { expect } from 'chai';
import { randomNumbers } from '../../train/lib/random.js';
import { cleanEnvironment } from '../acceptance/lib/clean-environment.js';
import { bodyOf, Comparison, chooseTexts, planRequests, predictionsOf } from '../acceptance/lib/mixed-requests.js';
import { Timeline } from '../acceptance/lib/timeline.js';
import { formatVerdict, judged, parseVerdict, summary, type Verdict, verdictsOf } from '../acceptance/lib/verdict.js';

const passed = judged(true, 'accuracy on a', '0.91', 'at least 0.86');
const failed = judged(false, 'accuracy on b', '0.79', 'at least 0.80');
const skipped: Verdict = {
  outcome: 'SKIP',
  check: 'accuracy on c',
  figure: 'c.tsv is not there',
  bar: 'at least 0.80',
};

describe('acceptance verdicts', () => {
  it('are read as they were printed', () => {
    for (const verdict of [passed, failed, skipped])
      expect(parseVerdict(formatVerdict(verdict))).to.deep.equal(verdict);
    expect(parseVerdict('a line of a table | with | other | things')).to.equal(undefined);
    expect(parseVerdict('PASS | too | few')).to.equal(undefined);
  });

  it('keep to their form whatever a figure holds', () => {
    const verdict = judged(false, 'the server starts', 'ended\nwith a | b', 'listens');
    expect(parseVerdict(formatVerdict(verdict))?.figure).to.equal('ended with a b');
  });

  it('are believed only when the command ended with their status', () => {
    const output = (...verdicts: Verdict[]) => ['some line', ...verdicts.map(formatVerdict), ''].join('\n');
    expect(verdictsOf('x', output(passed, skipped), 0)).to.deep.equal([passed, skipped]);
    expect(verdictsOf('x', output(passed, failed), 1)).to.deep.equal([passed, failed]);
    const outcomes = (text: string, code: number | null) => verdictsOf('x', text, code).map(({ outcome }) => outcome);
    expect(outcomes(output(passed), 1)).to.deep.equal(['PASS', 'FAIL']);
    expect(outcomes(output(passed, failed), 0)).to.deep.equal(['PASS', 'FAIL', 'FAIL']);
    expect(outcomes(output(passed), null)).to.deep.equal(['PASS', 'FAIL']);
    expect(outcomes(output(), 0)).to.deep.equal(['FAIL']);
  });

  it('are counted under their table', () => {
    const text = summary([passed, failed, skipped]);
    expect(text).to.match(/^FAIL {2}accuracy on b {2}0\.79 +at least 0\.80$/m);
    expect(text.split('\n').at(-1)).to.equal('1 passed, 1 failed, 1 skipped');
  });
});

describe('acceptance mixed requests', () => {
  const reviews = Array.from({ length: 300 }, (_, at) => `review ${at}`);

  it('chooses texts of different lengths, no two alike, the same ones for a seed', () => {
    const texts = chooseTexts(reviews, 100, randomNumbers(1));
    expect(new Set(texts).size).to.equal(100);
    const parts = texts.map((text) => text.split(' ').length / 2);
    expect(parts.filter((count) => count > 1)).to.have.length(20);
    expect(chooseTexts(reviews, 100, randomNumbers(1))).to.deep.equal(texts);
    expect(() => chooseTexts(reviews, 300, randomNumbers(1))).to.throw('reviews enough for 300 texts');
  });

  it('plans singles and batches of 2 to 16', () => {
    const requests = planRequests(1000, 100, randomNumbers(1));
    const sizes = (wanted: string) => requests.filter(({ kind }) => kind === wanted).map(({ texts }) => texts.length);
    expect(new Set(sizes('single'))).to.deep.equal(new Set([1]));
    expect(sizes('single')).to.have.length(500);
    expect([Math.min(...sizes('batch')), Math.max(...sizes('batch'))]).to.deep.equal([2, 16]);
    expect(new Set(requests.flatMap(({ texts }) => texts)).size).to.equal(100);
  });

  it('sends texts in the order of the request and reads the answers in it', () => {
    const [a, b] = [
      { label: 'a', confidence: 0.6 },
      { label: 'b', confidence: 0.7 },
    ];
    expect(bodyOf({ kind: 'single', texts: [2] }, ['x', 'y', 'z'])).to.deep.equal({ text: 'z' });
    expect(bodyOf({ kind: 'batch', texts: [2, 0] }, ['x', 'y', 'z'])).to.deep.equal({ texts: ['z', 'x'] });
    expect(predictionsOf({ kind: 'single' }, JSON.stringify(a))).to.deep.equal([a]);
    expect(predictionsOf({ kind: 'batch' }, JSON.stringify({ predictions: [b, a] }))).to.deep.equal([b, a]);
  });

  it('sees a swapped label, the largest difference, no number and a missing prediction', () => {
    const comparison = new Comparison();
    const alone = [
      { label: 'a', confidence: 0.6 },
      { label: 'b', confidence: 0.7 },
    ];
    comparison.add(
      [
        { label: 'a', confidence: 0.600002 },
        { label: 'b', confidence: 0.7 },
      ],
      alone,
    );
    expect(comparison).to.deep.include({ answers: 2, otherLabels: 0 });
    expect(comparison.largestDifference).to.be.closeTo(2e-6, 1e-9);
    comparison.add([...alone].reverse(), alone);
    expect(comparison).to.deep.include({ answers: 4, otherLabels: 2 });
    expect(comparison.largestDifference).to.be.closeTo(0.1, 1e-9);
    comparison.add([{ label: 'a', confidence: Number.NaN }], alone.slice(0, 1));
    expect(comparison.largestDifference).to.equal(1);
    expect(() => comparison.add(alone.slice(1), alone)).to.throw('Expected 2 predictions but received 1');
  });
});

describe('acceptance cleanEnvironment()', () => {
  const clean = (env: Record<string, string>) => cleanEnvironment({ HOME: '/me', PATH: '/bin', ...env }, '/empty');

  it('leaves no cache, no setting of ours and nothing of an npm around it', () => {
    const env = clean({
      XDG_CACHE_HOME: '/me/.cache',
      npm_config_cache: '/me/.npm',
      PIP_CACHE_DIR: '/me/pip',
      HF_HOME: '/me/hf',
      DISTILSERVE_CACHE: '/c',
      LIBTORCH: '/torch',
      MODEL_DIR: 'models/other',
      STORE_PATH: 'other.store',
      PORT: '1',
      npm_lifecycle_event: 'acceptance',
      npm_package_name: 'distilserve',
      npm_config_local_prefix: '/me/distilserve',
      INIT_CWD: '/me/distilserve',
      NODE_ENV: 'production',
      PATH: '/me/distilserve/node_modules/.bin:/usr/bin:/bin',
    });
    expect(env).to.deep.equal({
      HOME: '/empty',
      PATH: '/usr/bin:/bin',
      npm_config_cache: '/empty/.npm',
      npm_config_userconfig: '/me/.npmrc',
    });
  });

  it('keeps what says how to reach registries', () => {
    const kept = {
      PIP_INDEX_URL: 'pip.invalid',
      PIP_CERT: '/cert',
      npm_config_registry: 'npm.invalid',
      npm_config_userconfig: '/elsewhere/.npmrc',
      HF_ENDPOINT: 'hub.invalid',
      HTTPS_PROXY: 'proxy.invalid',
    };
    expect(clean(kept)).to.include(kept);
  });
});

describe('acceptance Timeline', () => {
  it('shows every line and keeps those that tell of a step', () => {
    let shown = '';
    const timeline = new Timeline((text) => {
      shown += text;
    });
    timeline.step('npm start');
    for (const line of [
      'Compiling the addon …',
      'Compiling the addon: step 3/9, 10 s',
      'Compiling the addon: done, 30 s',
    ]) {
      timeline.line(line);
    }
    expect(shown.split('\n')).to.have.length(5);
    expect(timeline.summary().replaceAll(/^ +\d+\.\d s/gm, '')).to.equal(
      '  npm start\n    Compiling the addon …\n    Compiling the addon: done, 30 s',
    );
  });
});
