#include "packed_network.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "thread_team.h"

namespace distilserve {
namespace {

constexpr int64_t kValuesPerChunk = 16'384;

// Sites of dropout within a step; each layer has two.
enum Site : uint32_t { kEmbeddingSite, kHeadSite, kFirstLayerSite };

const TrainingKernels* training_kernels(const KernelSet& set) {
#if defined(__x86_64__)
  return &set == &kAvx512Kernels ? &kAvx512Training : &kAvx2Training;
#else
  return nullptr;
#endif
}

// Calls each(row) for all rows, on all threads.
template <typename Each>
void for_pieces(const Matrix& shape, const Each& each) {
  const int64_t rows = std::max<int64_t>(1, kValuesPerChunk / shape.stride());
  parallel_chunks(shape.rows(), rows, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) each(row);
  });
}

std::vector<std::vector<float>> zeros_like(const std::vector<NamedParameter>& parameters) {
  std::vector<std::vector<float>> zeros;
  for (const NamedParameter& parameter : parameters) zeros.emplace_back(parameter.size, 0.0f);
  return zeros;
}

// Rows `offsets[0..rows)` of x.
void take_first(const RaggedIds& batch, const Matrix& x, Matrix& first) {
  first.resize(batch.rows, x.columns());
  for (int64_t row = 0; row < batch.rows; ++row) std::copy_n(x.row(batch.offsets[row]), x.columns(), first.row(row));
}

}  // namespace

PackedNetwork::PackedNetwork(const Architecture& architecture, const std::vector<NamedParameter>& parameters,
                             const KernelSet& kernels, uint64_t seed)
    : a_(architecture), kernels_{&kernels, training_kernels(kernels)}, seed_(seed), parameters_(parameters),
      gradients_(zeros_like(parameters)),
      words_(parameter("distilbert.embeddings.word_embeddings.weight")),
      positions_(parameter("distilbert.embeddings.position_embeddings.weight")),
      embedding_norm_(norm("distilbert.embeddings.LayerNorm")), pre_classifier_(linear("pre_classifier", a_.dim, a_.dim)),
      classifier_(linear("classifier", a_.dim, a_.num_labels)), word_steps_(a_.vocab_size, 0) {
  for (int64_t index = 0; index < a_.n_layers; ++index) {
    const std::string name = "distilbert.transformer.layer." + std::to_string(index) + ".";
    const auto square = [&](const char* part) { return linear(name + "attention." + part, a_.dim, a_.dim); };
    layers_.push_back({square("q_lin"), square("k_lin"), square("v_lin"), square("out_lin"),
                       linear(name + "ffn.lin1", a_.dim, a_.hidden_dim), linear(name + "ffn.lin2", a_.hidden_dim, a_.dim),
                       norm(name + "sa_layer_norm"), norm(name + "output_layer_norm"), {}, {}, {}, {}, {}, {}, {},
                       {}});
  }
}

Parameter PackedNetwork::parameter(const std::string& name) {
  for (size_t index = 0; index < parameters_.size(); ++index) {
    if (parameters_[index].name == name) return {parameters_[index].value, gradients_[index].data()};
  }
  fail("internal", "Expected a parameter '", name, "'. This is a bug.");
}

Linear PackedNetwork::linear(const std::string& name, int64_t in, int64_t out) {
  return {kernels_, parameter(name + ".weight"), parameter(name + ".bias"), in, out};
}

Norm PackedNetwork::norm(const std::string& name) {
  return {kernels_, parameter(name + ".weight"), parameter(name + ".bias"), a_.dim, static_cast<float>(a_.layer_norm_eps)};
}

AttentionShape PackedNetwork::shape(const RaggedIds& batch, size_t layer) const {
  return {&batch, a_.n_heads, a_.dim / a_.n_heads, layer + 1 == layers_.size()};
}

void PackedNetwork::embed(const RaggedIds& batch, Matrix& out) {
  sums_.resize(batch.tokens, a_.dim);
  parallel_for(batch.rows, [&](int64_t row) {
    for (int64_t token = batch.offsets[row]; token < batch.offsets[row + 1]; ++token) {
      std::copy_n(words_.value + batch.ids[token] * a_.dim, a_.dim, sums_.row(token));
      kernels_.others->add(sums_.row(token), positions_.value + (token - batch.offsets[row]) * a_.dim, a_.dim);
    }
  });
  embedding_norm_.forward(sums_, nullptr, out);
  apply_dropout(kernels_, out, dropout(a_.dropout, kEmbeddingSite));
}

void PackedNetwork::forward_layer(const RaggedIds& batch, size_t index, Matrix& state) {
  Layer& layer = layers_[index];
  const AttentionShape heads = shape(batch, index);
  std::swap(layer.input, state);
  if (heads.first_only) take_first(batch, layer.input, layer.first);
  const Matrix& residual = heads.first_only ? layer.first : layer.input;
  layer.q.forward(residual, layer.queries, scratch_);
  layer.k.forward(layer.input, layer.keys, scratch_);
  layer.v.forward(layer.input, layer.values, scratch_);
  const auto site = static_cast<uint32_t>(kFirstLayerSite + 2 * index);
  attention_forward(kernels_, heads, layer.queries, layer.keys, layer.values, dropout(a_.attention_dropout, site),
                    layer.context);
  layer.out.forward(layer.context, sums_, scratch_);
  layer.attention_norm.forward(sums_, &residual, layer.attended);
  layer.inner.forward(layer.attended, layer.inner_sum, scratch_);
  activated_.resize(layer.inner_sum.rows(), a_.hidden_dim);
  activate(layer.inner_sum, activated_);
  layer.outer.forward(activated_, sums_, scratch_);
  apply_dropout(kernels_, sums_, dropout(a_.dropout, site + 1));
  layer.output_norm.forward(sums_, &layer.attended, state);
}

double PackedNetwork::forward(const RaggedIds& batch, const int32_t* labels) {
  ++step_;
  embed(batch, dstate_);
  for (size_t index = 0; index < layers_.size(); ++index) forward_layer(batch, index, dstate_);
  std::swap(pooled_input_, dstate_);
  pre_classifier_.forward(pooled_input_, pooled_, scratch_);
  for_pieces(pooled_, [&](int64_t row) {
    for (int64_t j = 0; j < a_.dim; ++j) pooled_.row(row)[j] = std::max(pooled_.row(row)[j], 0.0f);
  });
  apply_dropout(kernels_, pooled_, dropout(a_.seq_classif_dropout, kHeadSite));
  classifier_.forward(pooled_, logits_, scratch_);
  double loss = 0;
  for (int64_t row = 0; row < batch.rows; ++row) {
    const float* logits = logits_.row(row);
    const double high = *std::max_element(logits, logits + a_.num_labels);
    double total = 0;
    for (int64_t label = 0; label < a_.num_labels; ++label) total += std::exp(logits[label] - high);
    loss += high + std::log(total) - logits[labels[row]];
  }
  return loss / static_cast<double>(batch.rows);
}

void PackedNetwork::backward(const RaggedIds& batch, const int32_t* labels) {
  // The gradient of the mean cross-entropy: (softmax - one) / rows.
  for (int64_t row = 0; row < batch.rows; ++row) {
    float* logits = logits_.row(row);
    const double high = *std::max_element(logits, logits + a_.num_labels);
    double total = 0;
    for (int64_t label = 0; label < a_.num_labels; ++label) total += std::exp(logits[label] - high);
    for (int64_t label = 0; label < a_.num_labels; ++label) {
      const double share = std::exp(logits[label] - high) / total - (label == labels[row] ? 1.0 : 0.0);
      logits[label] = static_cast<float>(share / static_cast<double>(batch.rows));
    }
  }
  classifier_.backward_parameters(logits_, pooled_, scratch_);
  classifier_.backward_input(logits_, sums_, /*accumulate=*/false, scratch_);
  apply_dropout(kernels_, sums_, dropout(a_.seq_classif_dropout, kHeadSite));
  // ReLU's gradient; a value that dropout removed has none already.
  for_pieces(sums_, [&](int64_t row) {
    for (int64_t j = 0; j < a_.dim; ++j) {
      if (pooled_.row(row)[j] <= 0.0f) sums_.row(row)[j] = 0.0f;
    }
  });
  pre_classifier_.backward_parameters(sums_, pooled_input_, scratch_);
  pre_classifier_.backward_input(sums_, dstate_, /*accumulate=*/false, scratch_);
  for (size_t index = layers_.size(); index-- > 0;) backward_layer(batch, index, dstate_);
  backward_embeddings(batch, dstate_);
}

void PackedNetwork::backward_layer(const RaggedIds& batch, size_t index, Matrix& dstate) {
  Layer& layer = layers_[index];
  const AttentionShape heads = shape(batch, index);
  const auto site = static_cast<uint32_t>(kFirstLayerSite + 2 * index);
  layer.output_norm.backward(dstate);
  copy(dstate, sums_);
  apply_dropout(kernels_, sums_, dropout(a_.dropout, site + 1));
  activated_.resize(layer.inner_sum.rows(), a_.hidden_dim);
  activate(layer.inner_sum, activated_);
  layer.outer.backward_parameters(sums_, activated_, scratch_);
  layer.outer.backward_input(sums_, dinner_, /*accumulate=*/false, scratch_);
  backward_activation(layer.inner_sum, dinner_);
  layer.inner.backward_parameters(dinner_, layer.attended, scratch_);
  layer.inner.backward_input(dinner_, dstate, /*accumulate=*/true, scratch_);
  layer.attention_norm.backward(dstate);
  layer.out.backward_parameters(dstate, layer.context, scratch_);
  layer.out.backward_input(dstate, dcontext_, /*accumulate=*/false, scratch_);
  attention_backward(kernels_, heads, layer.queries, layer.keys, layer.values, dropout(a_.attention_dropout, site),
                     dcontext_, dq_, dk_, dv_);
  const Matrix& residual = heads.first_only ? layer.first : layer.input;
  layer.q.backward_parameters(dq_, residual, scratch_);
  layer.k.backward_parameters(dk_, layer.input, scratch_);
  layer.v.backward_parameters(dv_, layer.input, scratch_);
  layer.q.backward_input(dq_, dstate, /*accumulate=*/true, scratch_);
  if (heads.first_only) {
    copy(dstate, sums_);
    dstate.resize(batch.tokens, a_.dim);
    dstate.fill_zero();
    for (int64_t row = 0; row < batch.rows; ++row) std::copy_n(sums_.row(row), a_.dim, dstate.row(batch.offsets[row]));
  }
  layer.k.backward_input(dk_, dstate, /*accumulate=*/true, scratch_);
  layer.v.backward_input(dv_, dstate, /*accumulate=*/true, scratch_);
}

void PackedNetwork::backward_embeddings(const RaggedIds& batch, Matrix& dstate) {
  apply_dropout(kernels_, dstate, dropout(a_.dropout, kEmbeddingSite));
  embedding_norm_.backward(dstate);
  for (const int32_t word : touched_) std::fill_n(words_.gradient + word * a_.dim, a_.dim, 0.0f);
  touched_.assign(batch.ids, batch.ids + batch.tokens);
  std::fill_n(positions_.gradient, a_.max_position_embeddings * a_.dim, 0.0f);
  for (int64_t row = 0; row < batch.rows; ++row) {
    for (int64_t token = batch.offsets[row]; token < batch.offsets[row + 1]; ++token) {
      kernels_.others->add(positions_.gradient + (token - batch.offsets[row]) * a_.dim, dstate.row(token), a_.dim);
      // Hugging Face's embedding has a padding index, which learns nothing.
      if (batch.ids[token] == a_.pad_token_id) continue;
      word_steps_[batch.ids[token]] = step_;
      kernels_.others->add(words_.gradient + batch.ids[token] * a_.dim, dstate.row(token), a_.dim);
    }
  }
}

void PackedNetwork::activate(const Matrix& x, Matrix& y) const {
  for_pieces(x, [&](int64_t row) {
    if (a_.activation == "gelu") return kernels_.others->gelu(x.row(row), y.row(row), x.columns());
    for (int64_t j = 0; j < x.columns(); ++j) y.row(row)[j] = std::max(x.row(row)[j], 0.0f);
  });
}

void PackedNetwork::backward_activation(const Matrix& x, Matrix& dy) const {
  for_pieces(x, [&](int64_t row) {
    if (a_.activation == "gelu") return kernels_.others->gelu_backward(x.row(row), dy.row(row), x.columns());
    for (int64_t j = 0; j < x.columns(); ++j) {
      if (x.row(row)[j] <= 0.0f) dy.row(row)[j] = 0.0f;
    }
  });
}

}  // namespace distilserve
