#if defined(__x86_64__)
#include "vector_avx512.h"
// The kernels are written over the vectors above.
#include "float32.h"

namespace distilserve {

const KernelSet kAvx512Kernels = {"avx512", kPanel, kRowBlock, pack, gemm, softmax, layer_norm};

}  // namespace distilserve
#endif
