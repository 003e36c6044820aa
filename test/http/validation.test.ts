import { expect } from 'chai';
import { errorOf, post } from '../helpers/client.js';
import { startTestServer, type TestServer } from '../helpers/server.js';

/** What is sent, and what the message has to name. */
type Case = readonly [title: string, body: unknown, named: RegExp];

const PREDICT: readonly Case[] = [
  ['a list', [], /the body to be a JSON object/],
  ['null', 'null', /the body to be a JSON object but received null/],
  ['a bare string', '"text"', /the body to be a JSON object/],
  ['neither text nor texts', {}, /`text` and `texts` but received neither/],
  ['both text and texts', { text: 'a', texts: ['b'] }, /`text` and `texts` but received both/],
  ['a null beside texts', '{"text":null,"texts":["b"]}', /`text` and `texts` but received both/],
  ['a number as text', { text: 7 }, /`text` to be a string but received 7/],
  ['null as text', { text: null }, /`text` to be a string but received null/],
  ['a list as text', { text: ['a'] }, /`text` to be a string but received an array/],
  ['an empty text', { text: '' }, /`text` .* empty/],
  ['a blank text', { text: ' \n\t\u00a0\u3000' }, /`text` .* blank/],
  ['a text of zero-width characters', { text: '\u200b\ufeff\u2060\u200d' }, /`text` .* blank/],
  ['a text of NUL and white space', { text: '\0 \0\n' }, /`text` .* blank/],
  ['texts that is a string', { texts: 'abc' }, /`texts` to be an array/],
  ['texts that is an object', { texts: { 0: 'a' } }, /`texts` to be an array/],
  ['empty texts', { texts: [] }, /`texts` .* received 0/],
  ['257 texts', { texts: Array(257).fill('a') }, /`texts` .* received 257/],
  ['a number among the texts', { texts: ['a', 7] }, /`texts\[1\]` to be a string/],
  ['null among the texts', { texts: ['a', 'b', null] }, /`texts\[2\]` to be a string/],
  ['an empty first text', { texts: ['', 'a'] }, /`texts\[0\]` .* empty/],
  ['a blank last text', { texts: ['a', 'b', 'c', ' '] }, /`texts\[3\]` .* blank/],
  ['a nested list', { texts: [['a']] }, /`texts\[0\]` to be a string but received an array/],
  ['an unknown key beside text', { text: 'a', verbose: true }, /unknown key `verbose`/],
  ['an unknown key alone', { inputs: 'a' }, /unknown key `inputs`/],
  ['a key in capitals', { Text: 'a' }, /unknown key `Text`/],
  ['the key __proto__', '{"text":"a","__proto__":{"x":1}}', /unknown key `__proto__`/],
  ['a text through __proto__', '{"__proto__":{"text":"a"}}', /unknown key `__proto__`/],
  ['the key constructor', '{"text":"a","constructor":1}', /unknown key `constructor`/],
];

const RECOMMEND: readonly Case[] = [
  ['no product_id', { k: 3 }, /`product_id` but it is missing/],
  ['a number as product_id', { product_id: 123 }, /`product_id` to be a string but received 123/],
  ['null as product_id', { product_id: null }, /`product_id` to be a string but received null/],
  ['an empty product_id', { product_id: '' }, /`product_id` .* empty/],
  ['a product_id of 257 letters', { product_id: 'a'.repeat(257) }, /`product_id` .* 256/],
  ['k 0', { product_id: 'SKU-1', k: 0 }, /`k` to be an integer from 1 to 100 but received 0/],
  ['k 101', { product_id: 'SKU-1', k: 101 }, /`k` .* received 101/],
  ['k -1', { product_id: 'SKU-1', k: -1 }, /`k` .* received -1/],
  ['k 2.5', { product_id: 'SKU-1', k: 2.5 }, /`k` .* received 2.5/],
  ['k as a string', { product_id: 'SKU-1', k: '3' }, /`k` .* received a string/],
  ['k null', { product_id: 'SKU-1', k: null }, /`k` .* received null/],
  ['k beyond the doubles', '{"product_id":"SKU-1","k":1e309}', /`k` .* received Infinity/],
  ['an unknown key', { product_id: 'SKU-1', limit: 3 }, /unknown key `limit`/],
];

describe('request validation', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  for (const [path, cases] of [
    ['/predict', PREDICT],
    ['/recommend', RECOMMEND],
  ] as const) {
    for (const [title, body, named] of cases) {
      it(`POST ${path} refuses ${title}, naming what is wrong`, async () => {
        const { message } = errorOf(await post(`${server.url}${path}`, body), 400, 'invalid_request');
        expect(message).to.match(named);
      });
    }
  }

  it('repeats no more than the beginning of a long unknown key', async () => {
    const answer = await post(`${server.url}/predict`, { text: 'a', ['k'.repeat(100_000)]: 1 });
    expect(errorOf(answer, 400, 'invalid_request').message.length).to.be.below(200);
  });

  for (const [title, body] of [
    ['an empty body', ''],
    ['a cut body', '{"text":"a'],
    ['two documents', '{"text":"a"}{"text":"b"}'],
    ['a trailing comma', '{"text":"a",}'],
    ['NaN', '{"text":NaN}'],
  ] as const) {
    it(`refuses ${title} as malformed JSON without quoting it`, async () => {
      const { message } = errorOf(await post(`${server.url}/predict`, body), 400, 'invalid_json');
      expect(message).to.match(/JSON body|body to be JSON/);
      expect(message).not.to.include('text');
    });
  }
});
