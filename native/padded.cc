#include "padded.h"

#include <algorithm>
#include <numeric>

namespace distilserve {
namespace {

// A forward call costs about as much as this many padded tokens; below it, padding is cheaper than another call.
constexpr int64_t kTokensPerCall = 96;

}  // namespace

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
