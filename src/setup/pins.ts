/** The exact files that set-up downloads: what the index serves under a name never decides what runs here. */
import type { Wheel } from './wheel.js';

export const LIBTORCH_VERSION = '2.11.0';

export interface LibtorchPin {
  readonly torch: Wheel;
  /** Files of the wheel's torch/lib that the CPU needs; headers are taken whole. */
  readonly libraries: readonly string[];
  /** Wheels of libraries that libtorch_cpu itself is linked with, and the one file taken from each. */
  readonly companions: readonly { readonly wheel: Wheel; readonly file: string }[];
}

function wheel(requirement: string, platform: string, bytes: number, sha256: string): Wheel {
  return { requirement, platform, bytes, sha256 };
}

const TORCH = `torch==${LIBTORCH_VERSION}`;
const CUDART = 'nvidia-cuda-runtime==13.0.96';
const CUPTI = 'nvidia-cuda-cupti==13.0.85';
const CUDART_FILE = 'nvidia/cu13/lib/libcudart.so.13';
const CUPTI_FILE = 'nvidia/cu13/lib/libcupti.so.13';

/** By `process.platform`-`process.arch`. On Linux the wheels are CUDA builds, whose CPU library needs two of its files. */
export const LIBTORCH_PINS: Readonly<Record<string, LibtorchPin>> = {
  'linux-x64': {
    torch: wheel(
      TORCH,
      'manylinux_2_28_x86_64',
      530_604_548,
      '7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a',
    ),
    libraries: ['libc10.so', 'libgomp.so.1', 'libtorch_cpu.so'],
    companions: [
      {
        wheel: wheel(
          CUDART,
          'manylinux2014_x86_64',
          2_243_632,
          '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548',
        ),
        file: CUDART_FILE,
      },
      {
        wheel: wheel(
          CUPTI,
          'manylinux_2_25_x86_64',
          10_715_597,
          '4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8',
        ),
        file: CUPTI_FILE,
      },
    ],
  },
  'linux-arm64': {
    torch: wheel(
      TORCH,
      'manylinux_2_28_aarch64',
      419_718_178,
      'd91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6',
    ),
    libraries: [
      'libarm_compute.so',
      'libarm_compute_graph.so',
      'libc10.so',
      'libgfortran.so.5',
      'libgomp.so.1',
      'libnvpl_blas_core.so.0',
      'libnvpl_blas_lp64_gomp.so.0',
      'libnvpl_lapack_core.so.0',
      'libnvpl_lapack_lp64_gomp.so.0',
      'libtorch_cpu.so',
    ],
    companions: [
      {
        wheel: wheel(
          CUDART,
          'manylinux2014_aarch64',
          2_261_060,
          'ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55',
        ),
        file: CUDART_FILE,
      },
      {
        wheel: wheel(
          CUPTI,
          'manylinux_2_25_aarch64',
          10_310_827,
          '796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151',
        ),
        file: CUPTI_FILE,
      },
    ],
  },
  'darwin-arm64': {
    torch: wheel(
      TORCH,
      'macosx_11_0_arm64',
      80_529_712,
      '7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4',
    ),
    libraries: ['libc10.dylib', 'libomp.dylib', 'libtorch_cpu.dylib'],
    companions: [],
  },
};

/**
 * What `libtorch_cuda.so` needs besides the wheels above, on Linux x86-64: the versions that the torch wheel's own
 * Requires-Dist names (those of `cuda-toolkit==13.0.2` among them).
 */
export const CUDA_WHEELS: readonly Wheel[] = [
  wheel(
    'nvidia-cublas==13.1.0.3',
    'manylinux_2_27_x86_64',
    423_133_236,
    'ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171',
  ),
  wheel(
    'nvidia-cuda-nvrtc==13.0.88',
    'manylinux2010_x86_64',
    90_215_200,
    'ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575',
  ),
  wheel(
    'nvidia-cudnn-cu13==9.19.0.56',
    'manylinux_2_27_x86_64',
    366_066_321,
    'd20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf',
  ),
  wheel(
    'nvidia-cufft==12.0.0.61',
    'manylinux2014_x86_64',
    214_085_489,
    '6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3',
  ),
  wheel(
    'nvidia-cufile==1.15.1.6',
    'manylinux2014_x86_64',
    1_223_672,
    '08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44',
  ),
  wheel(
    'nvidia-curand==10.4.0.35',
    'manylinux_2_27_x86_64',
    59_544_258,
    '1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc',
  ),
  wheel(
    'nvidia-cusolver==12.0.4.66',
    'manylinux_2_27_x86_64',
    200_941_980,
    '0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112',
  ),
  wheel(
    'nvidia-cusparse==12.6.3.3',
    'manylinux2014_x86_64',
    145_942_937,
    '2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b',
  ),
  wheel(
    'nvidia-cusparselt-cu13==0.8.0',
    'manylinux2014_x86_64',
    169_884_119,
    '25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd',
  ),
  wheel(
    'nvidia-nccl-cu13==2.28.9',
    'manylinux_2_18_x86_64',
    196_493_177,
    'e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42',
  ),
  wheel(
    'nvidia-nvjitlink==13.0.88',
    'manylinux2010_x86_64',
    40_713_933,
    '13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b',
  ),
  wheel(
    'nvidia-nvshmem-cu13==3.4.5',
    'manylinux2014_x86_64',
    60_412_546,
    '290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80',
  ),
];
