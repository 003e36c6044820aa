#include "ragged.h"

#include <algorithm>
#include <numeric>

#include "error.h"

namespace distilserve {
namespace {

// A forward call costs about as much as this many padded tokens; below it, padding is cheaper than another call.
constexpr int64_t kTokensPerCall = 96;

}  // namespace

void check_ragged(const RaggedIds& batch, const IdLimits& limits) {
  if (batch.rows < 1) fail("invalid_argument", "Expected at least one row of token ids but received none");
  if (batch.offsets[0] != 0 || batch.offsets[batch.rows] != batch.tokens) {
    fail("invalid_argument", "Expected offsets from 0 to ", batch.tokens, " (the number of ids) but received ",
         batch.offsets[0], " to ", batch.offsets[batch.rows]);
  }
  for (int64_t row = 0; row < batch.rows; ++row) {
    const int64_t length = batch.length(row);
    if (length < 1 || batch.offsets[row + 1] > batch.tokens) {
      fail("invalid_argument", "Expected rising offsets but row ", row, " runs from ", batch.offsets[row], " to ",
           batch.offsets[row + 1]);
    }
    if (limits.max_length >= 0 && length > limits.max_length) {
      fail("invalid_argument", "Expected at most ", limits.max_length, " tokens a row (the position embeddings) but row ",
           row, " has ", length, "; truncate when tokenizing");
    }
  }
  for (int64_t index = 0; index < batch.tokens; ++index) {
    const int64_t id = batch.ids[index];
    if (id < 0) fail("invalid_argument", "Expected token ids of 0 or more but received ", id, " at index ", index);
    if (limits.vocab_size >= 0 && id >= limits.vocab_size) {
      fail("invalid_argument", "Expected token ids from 0 to ", limits.vocab_size - 1, " but received ", id, " at index ",
           index, "; the tokenizer does not belong to this model");
    }
  }
}

PaddedGroup pad_rows(const RaggedIds& batch, std::vector<int64_t> order, int64_t pad_token_id, at::Device device) {
  int64_t longest = 0;
  for (const int64_t row : order) longest = std::max(longest, batch.length(row));
  const int64_t rows = static_cast<int64_t>(order.size());
  at::Tensor ids = at::full({rows, longest}, pad_token_id, at::kLong);
  at::Tensor mask = at::zeros({rows, longest}, at::kLong);
  int64_t* id = ids.data_ptr<int64_t>();
  int64_t* present = mask.data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t begin = batch.offsets[order[row]];
    const int64_t length = batch.length(order[row]);
    std::copy(batch.ids + begin, batch.ids + begin + length, id + row * longest);
    std::fill_n(present + row * longest, length, int64_t{1});
  }
  return {std::move(order), ids.to(device), mask.to(device)};
}

std::vector<std::vector<int64_t>> group_by_length(const RaggedIds& batch) {
  std::vector<int64_t> order(batch.rows);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return batch.length(a) > batch.length(b); });
  std::vector<std::vector<int64_t>> groups;
  int64_t waste = 0;
  for (const int64_t row : order) {
    const int64_t padding = groups.empty() ? 0 : batch.length(groups.back().front()) - batch.length(row);
    if (groups.empty() || waste + padding > kTokensPerCall) {
      groups.emplace_back();
      waste = 0;
    } else {
      waste += padding;
    }
    groups.back().push_back(row);
  }
  return groups;
}

}  // namespace distilserve
