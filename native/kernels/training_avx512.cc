#if defined(__x86_64__)
#include "vector_avx512.h"
// The kernels are written over the vectors above.
#include "training.h"

namespace distilserve {

const TrainingKernels kAvx512Training = {gelu_all, gelu_backward, dropout, layer_norm_row, layer_norm_backward,
                                         layer_norm_sums, column_sums, softmax_backward, add_to, transpose,
                                         square_sum, adamw};

}  // namespace distilserve
#endif
