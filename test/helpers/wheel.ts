import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256File } from '../../src/model/files.js';
import type { Wheel } from '../../src/setup/wheel.js';

const ZIP = `
import json, sys, zipfile
path, files = sys.argv[1], json.load(sys.stdin)
with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, text in files.items():
        archive.writestr(name, text)
`;

/** A wheel that pip accepts, with the given files in it, in the folder `dir`. */
export async function makeWheel(dir: string, name: string, files: Readonly<Record<string, string>>): Promise<Wheel> {
  mkdirSync(dir, { recursive: true });
  const info = `${name}-1.0.dist-info`;
  const path = join(dir, wheelName(name));
  const all = {
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: '',
  };
  execFileSync('python3', ['-c', ZIP, path], { input: JSON.stringify(all) });
  return { requirement: `${name}==1.0`, platform: 'any', bytes: statSync(path).size, sha256: await sha256File(path) };
}

export function wheelName(name: string): string {
  return `${name}-1.0-py3-none-any.whl`;
}

/** A folder that passes for libtorch as far as set-up looks. */
export function makeLibtorch(dir: string, version: string): string {
  for (const [path, text] of Object.entries(libtorchFiles(version))) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

export function libtorchFiles(version: string): Record<string, string> {
  const [major, minor, patch] = version.split('.');
  const suffix = process.platform === 'darwin' ? 'dylib' : 'so';
  return {
    'include/torch/script.h': '',
    'include/torch/headeronly/version.h': `#define TORCH_VERSION_MAJOR ${major}\n\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
    [`lib/libtorch_cpu.${suffix}`]: 'cpu',
    [`lib/libc10.${suffix}`]: 'c10',
  };
}
