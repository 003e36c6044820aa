#include "kernels.h"

#if defined(__AVX512BF16__)
#include "vector_avx512.h"
#include "vector_bfloat16.h"

namespace distilserve {
namespace {

constexpr int64_t kBlockRows = 14;  // 14 x 2 sums, 2 columns' groups, 1 row's: 31 of 32 registers

// sums + x * w over the 2 values of each lane
inline Vec dot(Vec sums, Ints x, Ints w) {
  return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
}

}  // namespace
}  // namespace distilserve

#include "bfloat16.h"
// The products are written over the dtype above.
#include "converted_blocks.h"

namespace distilserve {

const LinearKernels kBfloat16Avx512Kernels = {"avx512bf16", kPanel, kBlockRows, 0,   row_bytes,
                                              panel_bytes,  pack,   convert,    gemm};

}  // namespace distilserve
#elif defined(__x86_64__)
namespace distilserve {

const LinearKernels kBfloat16Avx512Kernels = {"avx512bf16"};

}  // namespace distilserve
#endif
