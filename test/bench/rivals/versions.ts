import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addon } from '../../../src/native/addon.js';
import { runChild } from '../../../src/setup/child.js';
import type { RacePaths } from './paths.js';
import { TEI_BINARY } from './rivals.js';

const PYTHON_PACKAGES = ['torch', 'transformers', 'onnxruntime', 'fastapi', 'uvicorn'];
const NODE_PACKAGES = ['onnxruntime-node', '@huggingface/transformers', '@huggingface/tokenizers'];

/** Of everything that takes part, by name. */
export async function versionsOf(paths: RacePaths, withTei: boolean): Promise<Record<string, string>> {
  const code =
    'import sys; from importlib.metadata import version as v; print(sys.version.split()[0], *map(v, sys.argv[1:]))';
  const { output } = await runChild(paths.python, ['-c', code, ...PYTHON_PACKAGES]);
  const [python = 'unknown', ...packages] = output.trim().split(' ');
  const inNode = NODE_PACKAGES.map((name) => {
    const file = join(paths.packages, 'node_modules', name, 'package.json');
    return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version];
  });
  const inPython = PYTHON_PACKAGES.map((name, at) => [`${name} (Python)`, packages[at] ?? 'unknown']);
  const tei = withTei ? (await runChild(TEI_BINARY, ['--version'])).output.trim() : 'not on PATH';
  return {
    node: process.version,
    libtorch: addon().versions().libtorch,
    ...Object.fromEntries(inNode),
    python,
    ...Object.fromEntries(inPython),
    [TEI_BINARY]: tei,
  };
}
