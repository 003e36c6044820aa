#if defined(__x86_64__)
#include "vector_avx2.h"
// The kernels are written over the vectors above.
#include "float32.h"

namespace distilserve {

const KernelSet kAvx2Kernels = {"avx2", kPanel, kRowBlock, pack, gemm, softmax, layer_norm};

}  // namespace distilserve
#endif
