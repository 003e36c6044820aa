/** Memory is measured in a process of its own, where nothing else allocates. */
import { copyFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { resolveBase } from '../../src/model/base-weights.js';
import { readHuggingFace } from '../../src/model/hugging-face.js';
import { addon } from '../../src/native/addon.js';
import { useSuiteDir } from '../helpers/fixtures.js';
import { runProgram } from '../helpers/programs.js';
import { tinyDistilBert, trainerOptions, writeTinyDistilBert } from '../helpers/tiny-model.js';

const MIB = 2 ** 20;

const suite = useSuiteDir();

/** Runs a program that prints an object of byte counts. */
async function measure(name: string, args: readonly string[]): Promise<Record<string, number>> {
  const url = new URL(`./programs/${name}.js`, import.meta.url);
  const { code, stdout, stderr } = await runProgram(url, args, ['--expose-gc']);
  expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, number>;
}

describe('memory of ScriptModule', function () {
  this.timeout(60_000);

  it('holds after 1,000 loads, calls and disposals', async () => {
    const file = join(suite.dir, 'tiny.pt');
    await writeTinyDistilBert(file);
    const { growth } = await measure('load-and-dispose', [file]);
    // 900 copies of the weights alone would be 90 MiB.
    expect(growth! / MIB).to.be.below(8);
  });

  it('is shared by all instances of one file in all threads, and not by those of another file', async () => {
    const { dir } = await resolveBase();
    const { architecture, weights } = await readHuggingFace(dir);
    const [file, copy] = [join(suite.dir, 'minilm.pt'), join(suite.dir, 'copy.pt')];
    addon().writeModel(architecture, weights, 0, file);
    copyFileSync(file, copy);
    const size = (await readFile(file)).length;
    const { first, again, inThread, other } = await measure('load-shared', [file, copy]);
    expect(first).to.be.above(0.8 * size);
    expect(again! / MIB).to.be.below(8);
    // A thread of its own takes some for V8; a second copy of the weights would be 86 MiB.
    expect(inThread! / MIB).to.be.below(40);
    expect(other).to.be.above(0.8 * size);
  });

  it('keeps nothing for gradients while it computes', async () => {
    // What a Trainer saved says of its parameters that they want gradients.
    const file = join(suite.dir, 'trained.pt');
    new (addon().Trainer)(trainerOptions(await tinyDistilBert())).save(file);
    const { peak } = await measure('forward-peak', [file]);
    // Measured: 90 MiB; 215 to 245 MiB with gradient tracking, when every layer's intermediates stay until the end.
    expect(peak! / MIB).to.be.below(150);
  });
});
