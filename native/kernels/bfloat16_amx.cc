#include "kernels.h"

#if defined(__AMX_BF16__) && defined(__AVX512BF16__)
#include "vector_avx512.h"
#include "vector_bfloat16.h"

namespace distilserve {
namespace {

inline void multiply_upper() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
}
inline void multiply_lower() {
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

}  // namespace
}  // namespace distilserve

#include "bfloat16.h"
// The products are written over the dtype above.
#include "converted_tiles.h"

namespace distilserve {

const LinearKernels kBfloat16AmxKernels = {"amx", kPanel, kBlockRows, 0, row_bytes, panel_bytes, pack, convert, gemm};

}  // namespace distilserve
#elif defined(__x86_64__)
namespace distilserve {

const LinearKernels kBfloat16AmxKernels = {"amx"};

}  // namespace distilserve
#endif
