import { expect } from 'chai';
import { openModelDir } from '../../src/model/model-dir.js';
import { TextModel } from '../../src/model/text-model.js';
import { productText } from '../../train/lib/products.js';
import { type Answer, errorOf, post, request } from '../helpers/client.js';
import { useSuiteDir } from '../helpers/fixtures.js';
import { type ServerProcess, startServerProcess, stopServerProcess } from '../helpers/server-process.js';
import { expectClose } from '../helpers/tensors.js';
import {
  makeTinyProject,
  PRODUCTS,
  REVIEWS,
  runScriptWell,
  serverEnvironment,
  type TinyProject,
  trainArguments,
} from '../helpers/tiny-project.js';

interface Prediction {
  readonly label: string;
  readonly confidence: number;
}

const CONFIDENCE_TOLERANCE = 1e-5;

const suite = useSuiteDir();
let project: TinyProject;
let server: ServerProcess;

async function predict(body: { text: string } | { texts: readonly string[] }): Promise<Prediction[]> {
  const answer = await post(`${server.url}/predict`, body);
  expect(answer.status, answer.text).to.equal(200);
  const json = answer.json as Prediction & { predictions: Prediction[] };
  return 'text' in body ? [json] : json.predictions;
}

function expectSame(actual: readonly Prediction[], expected: readonly Prediction[]): void {
  expect(actual.map(({ label }) => label)).to.deep.equal(expected.map(({ label }) => label));
  const confidences = (predictions: readonly Prediction[]) => predictions.map(({ confidence }) => confidence);
  expectClose(confidences(actual), confidences(expected), CONFIDENCE_TOLERANCE, 'confidences');
}

describe('a model that was trained, saved and served', function () {
  this.timeout(60_000);

  before(async () => {
    project = await makeTinyProject(suite.dir);
    server = await startServerProcess({ env: serverEnvironment(project) });
  });
  after(() => stopServerProcess(server));

  it('is well, and says at the start which model and base it serves', async () => {
    const { json, status } = await request(`${server.url}/healthz`);
    expect({ json, status }).to.deep.equal({ json: { status: 'ok' }, status: 200 });
    const { digest } = await openModelDir(project.modelDir);
    const line = server.logs.find(({ url }) => url === server.url);
    expect(line).to.deep.include({
      model_digest: digest,
      base_model: 'distilbert-tiny',
      max_length: 32,
      device: 'cpu',
    });
  });

  it('answers a text with label and confidence, and a batch in the order of its texts', async () => {
    const single = await post(`${server.url}/predict`, { text: 'the phone is great' });
    expect(Object.keys(single.json as object)).to.deep.equal(['label', 'confidence']);
    const texts = REVIEWS.map(({ text }) => text);
    const inOrder = await predict({ texts });
    expectSame((await predict({ texts: [...texts].reverse() })).reverse(), inOrder);
    for (const [row, text] of texts.slice(0, 30).entries()) expectSame(await predict({ text }), [inOrder[row]!]);
    const right = inOrder.filter(({ label }, row) => label === REVIEWS[row]!.label).length;
    expect(right / texts.length).to.be.at.least(0.95);
    for (const { confidence } of inOrder) expect(confidence).to.be.within(0.5, 1);
  });

  it('gives over HTTP what the model gives by itself', async () => {
    const texts = REVIEWS.map(({ text }) => text);
    const source = await openModelDir(project.modelDir);
    const model = TextModel.load(source, { device: 'cpu', dtype: 'float32' });
    const { results } = await model.classify(texts, 1);
    model.close();
    expectSame(await predict({ texts }), results);
  });

  it('says which texts were longer than the model reads', async () => {
    const long = 'the screen is awful '.repeat(50);
    const one = await post(`${server.url}/predict`, { text: long });
    expect(one.headers.get('x-truncated')).to.equal('true');
    const many = await post(`${server.url}/predict`, { texts: ['good', long, 'bad', long] });
    expect(many.headers.get('x-truncated')).to.equal('1,3');
    const short = await post(`${server.url}/predict`, { text: 'good' });
    expect(short.headers.has('x-truncated')).to.equal(false);
  });

  it('recommends the products nearest to one, as a search by hand over the embeddings does', async () => {
    const encoder = TextModel.load(await openModelDir(project.encoderDir), { device: 'cpu', dtype: 'float32' });
    const { vectors } = await encoder.embed(PRODUCTS.map(productText), 1);
    encoder.close();
    const dim = vectors.length / PRODUCTS.length;
    const row = (index: number) => vectors.subarray(index * dim, (index + 1) * dim);
    const score = (a: number, b: number) => row(a).reduce((sum, value, at) => sum + value * row(b)[at]!, 0);
    for (const [asked, { id }] of PRODUCTS.entries()) {
      const { json, status } = await post(`${server.url}/recommend`, { product_id: id, k: 7 });
      expect(status).to.equal(200);
      const { product_id, neighbors } = json as { product_id: string; neighbors: { id: string; score: number }[] };
      expect(product_id).to.equal(id);
      const expected = PRODUCTS.map((product, at) => ({ id: product.id, score: score(asked, at) }))
        .filter((neighbor) => neighbor.id !== id)
        .sort((a, b) => b.score - a.score)
        .slice(0, 7);
      expectClose(
        neighbors.map((neighbor) => neighbor.score),
        expected.map((neighbor) => neighbor.score),
        1e-5,
        `scores of ${id}`,
      );
      expect(neighbors.map((neighbor) => neighbor.id)).to.deep.equal(expected.map((neighbor) => neighbor.id));
    }
    errorOf(await post(`${server.url}/recommend`, { product_id: 'SKU-none' }), 404, 'product_not_found');
  });

  it('answers 1,000 mixed requests, 32 at a time, as it answers each text alone', async () => {
    const texts = REVIEWS.map(({ text }) => text);
    const alone: Prediction[] = [];
    for (const text of texts) alone.push(...(await predict({ text })));
    let next = 0;
    let texted = 0;
    const client = async (): Promise<void> => {
      while (next < 1000) {
        const request = next++;
        // Singles, and batches of 2 to 17 texts that begin anywhere.
        const count = request % 2 === 0 ? 1 : 2 + (request % 16);
        const rows = Array.from({ length: count }, (_, index) => (request * 37 + index * 11) % texts.length);
        const picked = rows.map((row) => texts[row]!);
        const answer = await predict(count === 1 ? { text: picked[0]! } : { texts: picked });
        expectSame(
          answer,
          rows.map((row) => alone[row]!),
        );
        texted += count;
      }
    };
    await Promise.all(Array.from({ length: 32 }, client));
    expect(texted).to.be.above(4000);
    const { text: metrics } = await request(`${server.url}/metrics`);
    expect(metrics).to.match(/^distilserve_http_requests_total\{[^}]*route="\/predict"[^}]*\} [1-9]\d{3}$/m);
  });

  it('goes on with its model while another is saved over the name, again and again', async () => {
    const texts = REVIEWS.slice(0, 40).map(({ text }) => text);
    const before = await predict({ texts });
    let training = true;
    const asking = (async () => {
      let asked = 0;
      for (; training; asked++) expectSame(await predict({ texts }), before);
      return asked;
    })();
    for (const seed of ['7', '8', '9']) {
      await runScriptWell('train', trainArguments(project, { seed, epochs: '1', lr: '1e-5' }));
    }
    training = false;
    expect(await asking).to.be.above(3);
    expectSame(await predict({ texts }), before);
    // Another model it is: a server that starts now answers otherwise.
    const next = await startServerProcess({ env: serverEnvironment(project) });
    try {
      const answer = await post(`${next.url}/predict`, { texts });
      expect((answer.json as { predictions: Prediction[] }).predictions).not.to.deep.equal(before);
    } finally {
      await stopServerProcess(next);
    }
  });
});

describe('SIGTERM with work in flight', function () {
  this.timeout(60_000);
  let own: ServerProcess | undefined;
  let ownProject: TinyProject;

  before(async () => {
    ownProject = await makeTinyProject(suite.dir);
  });
  afterEach(() => stopServerProcess(own));

  it('answers everything that was accepted, and ends with code 0', async () => {
    own = await startServerProcess({ env: { ...serverEnvironment(ownProject), WORKERS: '1' } });
    const texts = new Array<string>(256).fill('I love this phone and I hate the screen, but it was so very good');
    let answered = 0;
    const answers = Array.from({ length: 6 }, async (): Promise<Answer> => {
      const answer = await post(`${own!.url}/predict`, { texts });
      answered++;
      return answer;
    });
    await Promise.race(answers);
    own.child.kill('SIGTERM');
    const atSignal = answered;
    for (const answer of await Promise.all(answers)) {
      expect(answer.status, answer.text).to.equal(200);
      expect((answer.json as { predictions: unknown[] }).predictions).to.have.length(256);
    }
    expect(atSignal, 'answers before the signal').to.be.below(6);
    expect(await own.exited).to.deep.equal({ code: 0, signal: null });
    expect(own.logs.at(-1)).to.include({ msg: 'stopped' });
  });

  it('ends with code 0 while nothing is asked', async () => {
    own = await startServerProcess({ env: serverEnvironment(ownProject) });
    own.child.kill('SIGTERM');
    expect(await own.exited).to.deep.equal({ code: 0, signal: null });
  });
});

describe('main.js without what it needs', () => {
  it('ends with code 1, naming the command', async () => {
    const failure = await startServerProcess({ env: { MODEL_DIR: `${suite.dir}/nowhere`, DEVICE: 'cpu' } }).then(
      async (started) => {
        await stopServerProcess(started);
        return 'it started';
      },
      (error: Error) => error.message,
    );
    expect(failure).to.include('ended with 1').and.to.include('model_missing').and.to.include('npm run train');
  });
});
