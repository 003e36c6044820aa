#include "vector_index.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.h"

namespace distilserve {
namespace {

void check_unit(const float* vector, int64_t dim, int64_t row) {
  double squares = 0;
  for (int64_t index = 0; index < dim; ++index) squares += double{vector[index]} * vector[index];
  if (!(std::abs(std::sqrt(squares) - 1.0) <= 1e-5)) {
    fail("invalid_argument", "Expected vectors of L2 norm 1 (within 1e-5) but vector ", row, " has norm ",
         std::sqrt(squares));
  }
}

}  // namespace

VectorIndex::VectorIndex(const float* vectors, int64_t rows, int64_t dim) {
  if (dim < 1) fail("invalid_argument", "Expected vectors of at least one dimension but received ", dim);
  for (int64_t row = 0; row < rows; ++row) check_unit(vectors + row * dim, dim, row);
  vectors_ = at::empty({rows, dim}, at::kFloat);
  std::copy(vectors, vectors + rows * dim, vectors_.data_ptr<float>());
}

const float* VectorIndex::row(int64_t index) const {
  if (index < 0 || index >= rows()) {
    fail("invalid_argument", "Expected a row from 0 to ", rows() - 1, " but received ", index);
  }
  return vectors_.const_data_ptr<float>() + index * dim();
}

std::vector<Match> VectorIndex::search(const float* query, int64_t k) const {
  if (k < 1) fail("invalid_argument", "Expected k of at least 1 but received ", k);
  if (rows() == 0) return {};
  check_unit(query, dim(), 0);
  const c10::InferenceMode inference_mode;
  const at::Tensor vector = at::from_blob(const_cast<float*>(query), {dim()}, at::kFloat);
  const at::Tensor scores = at::mv(vectors_, vector);  // [rows]
  const float* score = scores.const_data_ptr<float>();
  std::vector<int64_t> order(rows());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto middle = order.begin() + std::min<int64_t>(k, rows());
  std::partial_sort(order.begin(), middle, order.end(), [&](int64_t a, int64_t b) {
    return score[a] != score[b] ? score[a] > score[b] : a < b;
  });
  std::vector<Match> matches;
  for (auto row = order.begin(); row != middle; ++row) {
    // Rounding can carry the product of two unit vectors past 1.
    matches.push_back({*row, std::clamp(score[*row], -1.0f, 1.0f)});
  }
  return matches;
}

}  // namespace distilserve
