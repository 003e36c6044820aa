import { delimiter, join } from 'node:path';
import { settingsTable } from '../../../src/config.js';

type Variables = Readonly<Record<string, string | undefined>>;

/** Caches, and what would spare the installation a step. */
const CACHES =
  /^(XDG_\w+|npm_config_cache|PIP_CACHE_DIR|HF_HOME|HF_HUB_CACHE|DISTILSERVE_CACHE|CCACHE_\w+|LIBTORCH|LIBTORCH_USE_PYTORCH)$/i;
/** What `npm run` sets for the scripts of its own package; npm_config_ holds the user's settings, but for one. */
const OUTER_NPM = /^(npm_(?!config_)\w+|npm_config_local_prefix|INIT_CWD|NODE|NODE_ENV)$/i;

/**
 * The environment of someone who has just come to this machine: `home` is empty, so are all caches. How to reach
 * registries stays as it is configured (npm_config_…, PIP_…, HF_ENDPOINT, proxies, npm's user configuration).
 */
export function cleanEnvironment(env: Variables, home: string): Record<string, string> {
  const settings = new Set([...settingsTable().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !CACHES.test(entry[0]) && !OUTER_NPM.test(entry[0]) && !settings.has(entry[0]),
  );
  const path = (env.PATH ?? '').split(delimiter).filter((dir) => !dir.includes('node_modules'));
  const userConfig = env.npm_config_userconfig ?? (env.HOME && join(env.HOME, '.npmrc'));
  return {
    ...Object.fromEntries(kept),
    ...(userConfig ? { npm_config_userconfig: userConfig } : {}),
    npm_config_cache: join(home, '.npm'),
    HOME: home,
    PATH: path.join(delimiter),
  };
}
