import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { downloadFromHub } from '../../src/model/hub-cache.js';
import { readSetupEnvironment } from '../../src/setup/environment.js';
import { HubStandIn } from '../helpers/hub-stand-in.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

describe('downloadFromHub()', () => {
  it("takes sentence-transformers' limit along, which is shorter than the position table", async () => {
    const wanted = ['config.json', 'model.safetensors', 'sentence_bert_config.json', 'tokenizer.json'];
    const hub = new HubStandIn(Object.fromEntries([...wanted, 'README.md'].map((name) => [name, `this is ${name}`])));
    try {
      const settings = { ...readSetupEnvironment({ HOME: scratch.dir }).hub, endpoint: await hub.listen() };
      const { dir } = await downloadFromHub(settings, 'org/tiny', 'main');
      expect(readdirSync(dir).sort()).to.deep.equal(wanted);
    } finally {
      hub.close();
    }
  });
});
