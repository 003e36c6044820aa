// Rows of a batch padded to a common length, for programs that want a rectangle.
#pragma once

#include <vector>

#include "ragged.h"
#include "torch_api.h"

namespace distilserve {

// Rows of similar length that are padded together. order[i] is a row of the ragged batch.
struct PaddedGroup {
  std::vector<int64_t> order;
  at::Tensor input_ids;       // [rows, longest] int64
  at::Tensor attention_mask;  // [rows, longest] int64
};

// All given rows, padded to the longest of them.
PaddedGroup pad_rows(const RaggedIds& batch, std::vector<int64_t> order, int64_t pad_token_id, at::Device device);

// Splits a batch by length so that little is padded: every row is in exactly one group.
std::vector<std::vector<int64_t>> group_by_length(const RaggedIds& batch);

}  // namespace distilserve
