#include "serving_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "attention.h"
#include "parallel_gemm.h"
#include "thread_team.h"
#include "workspace.h"

namespace distilserve {
namespace {

using LinearPtr = c10::intrusive_ptr<PackedLinear>;
using EmbeddingsPtr = c10::intrusive_ptr<PackedEmbeddings>;

constexpr int64_t kNormRows = 16;

Activation activation_of(int64_t number) { return static_cast<Activation>(number); }

at::Tensor activate(const at::Tensor& x, Activation activation) {
  if (activation == Activation::gelu) return at::gelu(x);
  if (activation == Activation::relu) return at::relu(x);
  return x;
}

void multiply_narrower(const at::Tensor& x, const PackedLinear& w, int64_t first_panel, int64_t last_panel,
                       Activation activation, float* c, int64_t ldc) {
  const LinearKernels& kernels = *w.narrower;
  const int64_t rows = x.size(0), whole_blocks = round_up(rows, kernels.row_block);
  const int64_t floats = kernels.row_bytes(w.k) / static_cast<int64_t>(sizeof(float));
  const at::Tensor converted = workspace(Slot::converted, whole_blocks, floats);
  uint8_t* a = reinterpret_cast<uint8_t*>(converted.data_ptr<float>());
  const int64_t stride = converted.stride(0) * static_cast<int64_t>(sizeof(float));
  parallel_convert(kernels, x.const_data_ptr<float>(), x.stride(0), rows, w.k, a, stride);
  parallel_gemm(kernels, {a, stride, rows, w.k, w.panels.const_data_ptr<uint8_t>(), first_panel, last_panel,
                          w.bias.const_data_ptr<float>(), c, ldc, activation});
}

// c = activation(x w^T + bias) for one segment after another from `first` on, by all threads of the lease.
void multiply(const at::Tensor& x, const PackedLinear& w, int64_t first, int64_t segments, Activation activation, float* c,
              int64_t ldc) {
  const int64_t first_panel = first * w.segment_panels, last_panel = first_panel + segments * w.segment_panels;
  if (w.narrower != nullptr) return multiply_narrower(x, w, first_panel, last_panel, activation, c, ldc);
  parallel_gemm(*w.kernels, {x.const_data_ptr<float>(), x.stride(0), x.size(0), w.k, w.panels.const_data_ptr<float>(),
                             first_panel, last_panel, w.bias.const_data_ptr<float>(), c, ldc, activation});
}

at::Tensor linear(const at::Tensor& x, const LinearPtr& w, int64_t activation) {
  if (w->kernels == nullptr) return activate(at::linear(x, w->panels, w->bias), activation_of(activation));
  at::Tensor out = workspace(other_slot(x, Slot::hidden_a, Slot::hidden_b), x.size(0), w->segment_width());
  multiply(x, *w, 0, 1, activation_of(activation), out.data_ptr<float>(), out.stride(0));
  return out.narrow(1, 0, w->n);
}

// LayerNorm(x w^T + bias + residual)
at::Tensor linear_add_norm(const at::Tensor& x, const LinearPtr& w, const at::Tensor& residual) {
  if (w->kernels == nullptr) {
    return at::layer_norm(at::linear(x, w->panels, w->bias) + residual, {w->n}, w->gamma, w->beta, w->eps);
  }
  const int64_t rows = x.size(0);
  const at::Tensor sum = workspace(Slot::sum, rows, w->segment_width());
  at::Tensor out = workspace(other_slot(residual, Slot::state_a, Slot::state_b), rows, w->n);
  multiply(x, *w, 0, 1, Activation::none, sum.data_ptr<float>(), sum.stride(0));
  parallel_chunks(rows, kNormRows, [&](int64_t row, int64_t count) {
    w->kernels->layer_norm(sum.const_data_ptr<float>() + row * sum.stride(0), sum.stride(0),
                           residual.const_data_ptr<float>() + row * residual.stride(0), residual.stride(0),
                           count, w->n, w->gamma.const_data_ptr<float>(),
                           w->beta.const_data_ptr<float>(), static_cast<float>(w->eps),
                           out.data_ptr<float>() + row * out.stride(0), out.stride(0));
  });
  return out;
}

// LayerNorm(words[ids] + positions) -> [tokens, dim]
at::Tensor embed_tokens(const at::Tensor& ids, const at::Tensor& offsets, const EmbeddingsPtr& table) {
  const int64_t tokens = ids.size(0), rows = offsets.size(0) - 1, dim = table->words.size(1);
  const int32_t* begin = offsets.const_data_ptr<int32_t>();
  if (table->kernels == nullptr) {
    at::Tensor positions = at::arange(tokens, at::kInt);
    for (int64_t row = 1; row < rows; ++row) positions.narrow(0, begin[row], begin[row + 1] - begin[row]) -= begin[row];
    const at::Tensor sum = at::embedding(table->words, ids) + at::embedding(table->positions, positions);
    return at::layer_norm(sum, {dim}, table->gamma, table->beta, table->eps);
  }
  at::Tensor out = workspace(Slot::state_a, tokens, dim);
  parallel_for(rows, [&](int64_t row) {
    for (int64_t token = begin[row]; token < begin[row + 1]; ++token) {
      const float* word = table->words.const_data_ptr<float>() + ids.const_data_ptr<int32_t>()[token] * dim;
      const float* position = table->positions.const_data_ptr<float>() + (token - begin[row]) * dim;
      table->kernels->layer_norm(word, dim, position, dim, 1, dim, table->gamma.const_data_ptr<float>(),
                                 table->beta.const_data_ptr<float>(), static_cast<float>(table->eps),
                                 out.data_ptr<float>() + token * out.stride(0), out.stride(0));
    }
  });
  return out;
}

// Rows `offsets[0..rows)` of x -> [rows, dim]
at::Tensor first_tokens(const at::Tensor& x, const at::Tensor& offsets) {
  const int64_t rows = offsets.size(0) - 1, dim = x.size(1);
  at::Tensor out = workspace(Slot::first, rows, dim);
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(out.data_ptr<float>() + row * out.stride(0),
                x.const_data_ptr<float>() + offsets.const_data_ptr<int32_t>()[row] * x.stride(0), dim * sizeof(float));
  }
  return out;
}

// softmax(q k^T / sqrt(d)) v of each row and head. Queries are all tokens, or each row's first one.
at::Tensor attention(const at::Tensor& x, const at::Tensor& offsets, const LinearPtr& qkv, int64_t heads, bool first_only) {
  if (qkv->kernels == nullptr) return aten_attention(at::linear(x, qkv->panels, qkv->bias), offsets, heads, first_only);
  const int64_t tokens = x.size(0), rows = offsets.size(0) - 1, width = qkv->segment_width();
  at::Tensor projected = workspace(Slot::projected, tokens, 3 * width);
  PackedHeads packed = {projected.const_data_ptr<float>(), projected.stride(0), width, projected.const_data_ptr<float>(),
                        projected.stride(0)};
  if (first_only) {
    multiply(x, *qkv, 1, 2, Activation::none, projected.data_ptr<float>(), projected.stride(0));
    const at::Tensor queries = workspace(Slot::queries, rows, width);
    multiply(first_tokens(x, offsets), *qkv, 0, 1, Activation::none, queries.data_ptr<float>(), queries.stride(0));
    packed.queries = queries.const_data_ptr<float>();
    packed.query_stride = queries.stride(0);
  } else {
    multiply(x, *qkv, 0, 3, Activation::none, projected.data_ptr<float>(), projected.stride(0));
  }
  at::Tensor out = workspace(Slot::context, first_only ? rows : tokens, qkv->n);
  attend(*qkv->kernels, packed, offsets, qkv->n / heads, heads, first_only, out);
  return out;
}

// Mean of each row's tokens, L2-normalised -> [rows, dim]. Summed in the tokens' order, whatever the batch.
at::Tensor mean_tokens(const at::Tensor& x, const at::Tensor& offsets) {
  const int64_t rows = offsets.size(0) - 1, dim = x.size(1);
  const int32_t* begin = offsets.const_data_ptr<int32_t>();
  at::Tensor out = at::zeros({rows, dim}, at::kFloat);
  for (int64_t row = 0; row < rows; ++row) {
    float* mean = out.data_ptr<float>() + row * dim;
    for (int64_t token = begin[row]; token < begin[row + 1]; ++token) {
      const float* state = x.const_data_ptr<float>() + token * x.stride(0);
      for (int64_t j = 0; j < dim; ++j) mean[j] += state[j];
    }
    // The mean's division and the norm's are one: only the direction is left.
    const double norm = std::sqrt(std::inner_product(mean, mean + dim, mean, 0.0));
    for (int64_t j = 0; j < dim; ++j) mean[j] = static_cast<float>(mean[j] / std::max(norm, 1e-12));
  }
  return out;
}

}  // namespace

PackedLinear::PackedLinear(const KernelSet* set, const LinearKernels* linear, const std::vector<at::Tensor>& weights,
                           const std::vector<at::Tensor>& biases)
    : kernels(set), narrower(linear), k(weights.front().size(1)), n(weights.front().size(0)),
      segments(static_cast<int64_t>(weights.size())) {
  if (kernels == nullptr) {
    panels = at::cat(weights);
    bias = at::cat(biases);
    return;
  }
  segment_panels = ceil_div(n, panel());
  bias = at::zeros({segments, segment_width()}, at::kFloat);
  panels = narrower == nullptr ? at::empty({segments, segment_width() * k}, at::kFloat)
                               : at::empty({segments, segment_panels * narrower->panel_bytes(k)}, at::kByte);
  for (int64_t segment = 0; segment < segments; ++segment) {
    const at::Tensor weight = weights[segment].contiguous(), to = panels[segment];
    if (narrower == nullptr) {
      kernels->pack(weight.const_data_ptr<float>(), k, n, k, to.data_ptr<float>());
    } else {
      narrower->pack(weight.const_data_ptr<float>(), k, n, k, to.data_ptr<uint8_t>());
    }
    bias[segment].narrow(0, 0, n).copy_(biases[segment]);
  }
}

void register_serving_ops() {
  static std::once_flag once;
  std::call_once(once, [] {
    static torch::Library library(torch::Library::DEF, "distilserve", std::nullopt, __FILE__, __LINE__);
    library.class_<PackedLinear>("PackedLinear");
    library.class_<PackedEmbeddings>("PackedEmbeddings");
    library.def("linear", linear);
    library.def("linear_add_norm", linear_add_norm);
    library.def("embed_tokens", embed_tokens);
    library.def("first_tokens", first_tokens);
    library.def("attention", attention);
    library.def("mean_tokens", mean_tokens);
  });
}

}  // namespace distilserve
