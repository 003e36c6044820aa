// Exact nearest neighbours by cosine over one matrix.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "torch_api.h"

namespace distilserve {

struct Match {
  int64_t row = 0;
  float score = 0;  // cosine, -1 to 1
};

class VectorIndex {
 public:
  // vectors: [rows, dim], each of L2 norm 1 ± 1e-5; copied. Throws invalid_argument for any other.
  VectorIndex(const float* vectors, int64_t rows, int64_t dim);

  // The k rows with the highest score, falling; of equal scores the lower row. query: [dim], L2 norm 1 ± 1e-5.
  std::vector<Match> search(const float* query, int64_t k) const;

  const float* row(int64_t index) const;
  int64_t rows() const { return vectors_.size(0); }
  int64_t dim() const { return vectors_.size(1); }

 private:
  at::Tensor vectors_;  // [rows, dim]
};

}  // namespace distilserve
