// Loss and gradients of a DistilBERT classifier on the CPU: packed rows, forward and backward by hand.
//
// The last layer is computed for each row's first token only, since the head sees no other.
#pragma once

#include <string>
#include <vector>

#include "architecture.h"
#include "kernel_sets.h"
#include "packed_attention.h"
#include "packed_layers.h"

namespace distilserve {

// A parameter by Hugging Face's name: dense float32 on the CPU, of some shape.
struct NamedParameter {
  std::string name;
  float* value = nullptr;
  int64_t size = 0;
};

class PackedNetwork {
 public:
  // The parameters' memory is read at every forward.
  PackedNetwork(const Architecture& architecture, const std::vector<NamedParameter>& parameters, const KernelSet& kernels,
                uint64_t seed);

  // The gradient of the parameter at `index`, of its size.
  float* gradient(size_t index) { return gradients_[index].data(); }
  const TrainingKernels& kernels() const { return *kernels_.others; }
  // Whether the last backward() gave the word embeddings' row a gradient.
  bool has_gradient(int64_t word) const { return word_steps_[word] == step_; }

  // Mean cross-entropy over the batch with dropout on, by the threads of the lease. Call backward() after it, or not.
  double forward(const RaggedIds& batch, const int32_t* labels);
  void backward(const RaggedIds& batch, const int32_t* labels);

 private:
  struct Layer {
    Linear q, k, v, out, inner, outer;
    Norm attention_norm, output_norm;
    Matrix input, first, queries, keys, values, context, attended, inner_sum;
  };

  Parameter parameter(const std::string& name);
  Linear linear(const std::string& name, int64_t in, int64_t out);
  Norm norm(const std::string& name);
  Dropout dropout(double p, uint32_t site) const { return make_dropout(p, seed_, step_, site); }
  AttentionShape shape(const RaggedIds& batch, size_t layer) const;
  void embed(const RaggedIds& batch, Matrix& out);
  void forward_layer(const RaggedIds& batch, size_t index, Matrix& state);
  void backward_layer(const RaggedIds& batch, size_t index, Matrix& dstate);
  void activate(const Matrix& x, Matrix& y) const;
  void backward_activation(const Matrix& x, Matrix& dy) const;
  void backward_embeddings(const RaggedIds& batch, Matrix& dstate);

  Architecture a_;
  Kernels kernels_;
  uint64_t seed_, step_ = 0;
  std::vector<NamedParameter> parameters_;
  std::vector<std::vector<float>> gradients_;
  Parameter words_, positions_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  Linear pre_classifier_, classifier_;
  Matrix pooled_input_, pooled_, logits_, sums_, activated_, dstate_, dinner_, dcontext_, dq_, dk_, dv_;
  std::vector<int32_t> touched_;      // rows of the word embeddings' gradient that are not zero
  std::vector<uint64_t> word_steps_;  // the step that last gave a row of the word embeddings a gradient
  ProductScratch scratch_;
};

}  // namespace distilserve
