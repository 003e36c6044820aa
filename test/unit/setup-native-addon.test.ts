import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { inputsDigest } from '../../src/setup/native-addon.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

describe('inputsDigest()', () => {
  function checkout(name: string, source: string): string {
    const root = join(scratch.dir, name);
    mkdirSync(join(root, 'native/kernels'), { recursive: true });
    writeFileSync(join(root, 'CMakeLists.txt'), 'project(distilserve)');
    writeFileSync(join(root, 'native/addon.cc'), '// exports');
    writeFileSync(join(root, 'native/kernels/deep.cc'), source);
    return root;
  }

  it('is the same for a checkout at another place', async () => {
    const [here, there] = [checkout('here', 'int x;'), checkout('there', 'int x;')];
    expect(await inputsDigest(there, '/libtorch')).to.equal(await inputsDigest(here, '/libtorch'));
  });

  it('changes with a source in a folder, and with libtorch', async () => {
    const [before, after] = [checkout('before', 'int x;'), checkout('after', 'int y;')];
    const digest = await inputsDigest(before, '/libtorch');
    expect(await inputsDigest(after, '/libtorch')).to.not.equal(digest);
    expect(await inputsDigest(before, '/another')).to.not.equal(digest);
  });
});
