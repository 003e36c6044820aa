#include "attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "parallel_gemm.h"
#include "thread_team.h"

namespace distilserve {
namespace {

// Scores of so many queries are kept at once: with 512 keys, 112 KiB.
constexpr int64_t kQueries = 56;
// Multiply-adds that are worth a chunk of their own.
constexpr int64_t kWorkPerChunk = 200'000;

// Buffers of one thread, for one head of one row at a time.
struct Scratch {
  std::vector<float> keys, values, scores, out;
};

float* at_least(std::vector<float>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
  return buffer.data();
}

struct Head {
  const float *queries, *keys, *values;
  float* out;
  int64_t query_stride, stride, out_stride, query_count, length, dim;
};

void attend_head(const KernelSet& kernels, const Head& head) {
  thread_local Scratch scratch;
  const int64_t panel = kernels.panel, length = head.length, dim = head.dim;
  const int64_t padded = round_up(length, panel), out_width = round_up(dim, panel);
  float* keys = at_least(scratch.keys, padded * dim);
  float* values = at_least(scratch.values, out_width * length);
  float* scores = at_least(scratch.scores, kQueries * padded);
  float* out = at_least(scratch.out, kQueries * out_width);
  kernels.pack(head.keys, head.stride, length, dim, keys);
  pack_rows(kernels, head.values, head.stride, length, dim, values);
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t query = 0; query < head.query_count; query += kQueries) {
    const int64_t count = std::min(kQueries, head.query_count - query);
    kernels.gemm({head.queries + query * head.query_stride, head.query_stride, count, dim, keys, 0, padded / panel, nullptr,
                  scores, padded, Activation::none});
    kernels.softmax(scores, padded, count, length, scale);
    kernels.gemm({scores, padded, count, length, values, 0, out_width / panel, nullptr, out, out_width, Activation::none});
    for (int64_t row = 0; row < count; ++row) {
      std::memcpy(head.out + (query + row) * head.out_stride, out + row * out_width, dim * sizeof(float));
    }
  }
}

}  // namespace

void attend(const KernelSet& kernels, const PackedHeads& heads, const at::Tensor& offsets, int64_t head_dim,
            int64_t head_count, bool first_only, at::Tensor& out) {
  const int64_t rows = offsets.size(0) - 1;
  const int32_t* begin = offsets.const_data_ptr<int32_t>();
  const int64_t mean_length = begin[rows] / rows;
  const int64_t work = 2 * mean_length * mean_length * head_dim + 8 * mean_length * head_dim;
  const int64_t units = rows * head_count;
  const int64_t per_chunk = std::clamp<int64_t>(kWorkPerChunk / std::max<int64_t>(work, 1), 1, units);
  parallel_chunks(units, per_chunk, [&](int64_t first, int64_t count) {
    for (int64_t unit = first; unit < first + count; ++unit) {
      const int64_t row = unit / head_count, column = unit % head_count * head_dim;
      const int64_t query = first_only ? row : begin[row];
      const float* keys = heads.projected + begin[row] * heads.stride + heads.width + column;
      attend_head(kernels, {heads.queries + query * heads.query_stride + column, keys, keys + heads.width,
                            out.data_ptr<float>() + query * out.stride(0) + column, heads.query_stride, heads.stride,
                            out.stride(0), first_only ? 1 : begin[row + 1] - begin[row], begin[row + 1] - begin[row],
                            head_dim});
    }
  });
}

at::Tensor aten_attention(const at::Tensor& projected, const at::Tensor& offsets, int64_t heads, bool first_only) {
  const int64_t rows = offsets.size(0) - 1, dim = projected.size(1) / 3;
  const int32_t* begin = offsets.const_data_ptr<int32_t>();
  std::vector<at::Tensor> parts;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t length = begin[row + 1] - begin[row];
    // [3, 1, heads, length, head_dim]
    const at::Tensor split = projected.narrow(0, begin[row], length).view({1, length, 3, heads, dim / heads})
                                 .permute({2, 0, 3, 1, 4});
    const at::Tensor queries = first_only ? split[0].narrow(2, 0, 1) : split[0];
    parts.push_back(at::scaled_dot_product_attention(queries, split[1], split[2]).transpose(1, 2).reshape({-1, dim}));
  }
  return at::cat(parts);
}

}  // namespace distilserve
