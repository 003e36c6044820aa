import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

type Variables = Readonly<Record<string, string | undefined>>;

/** What set-up takes from the environment; docs/building.md lists the variables. An empty variable counts as not set. */
export interface SetupEnvironment {
  /** Downloads that later checkouts share. */
  readonly cacheDir: string;
  /** A directory with include/ and lib/. */
  readonly libtorch: string | undefined;
  /** Take libtorch from the torch of the Python on PATH. */
  readonly usePytorch: boolean;
  /** The C++ compiler, as CMake takes it. */
  readonly compiler: string | undefined;
  readonly hub: HubSettings;
}

/** The Hugging Face hub's own variables, with the meaning they have for its Python client. */
export interface HubSettings {
  /** Undefined: the hub client's own. */
  readonly endpoint: string | undefined;
  readonly token: string | undefined;
  readonly cacheDir: string;
  readonly offline: boolean;
}

const TRUE = /^(1|on|true|yes)$/i;

export function readSetupEnvironment(env: Variables = process.env): SetupEnvironment {
  const userCache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return {
    cacheDir: resolve(env.DISTILSERVE_CACHE || join(userCache, 'distilserve')),
    libtorch: env.LIBTORCH || undefined,
    usePytorch: TRUE.test(env.LIBTORCH_USE_PYTORCH ?? ''),
    compiler: env.CXX || undefined,
    hub: {
      endpoint: env.HF_ENDPOINT ? env.HF_ENDPOINT.replace(/\/+$/, '') : undefined,
      token: env.HF_TOKEN || undefined,
      cacheDir: resolve(env.HF_HUB_CACHE || join(env.HF_HOME || join(userCache, 'huggingface'), 'hub')),
      offline: TRUE.test(env.HF_HUB_OFFLINE ?? ''),
    },
  };
}
