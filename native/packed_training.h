// Training on the CPU through PackedNetwork: one step is forward, loss, backward, clipping and AdamW.
#pragma once

#include "packed_network.h"
#include "trainer.h"

namespace distilserve {

class PackedTraining {
 public:
  // Updates the module's parameters in place.
  PackedTraining(const TrainerOptions& options, const torch::jit::Module& module, const KernelSet& kernels);

  StepResult step(const RaggedIds& batch, const int32_t* labels, double learning_rate, int64_t threads);

 private:
  // A stretch of one parameter that is updated at once.
  struct Piece {
    float *value, *gradient, *exp_avg, *exp_avg_sq;
    int64_t count;
    double weight_decay;
    int64_t word;  // the row of the word embeddings it is, or -1
  };

  void add_parameter(const std::string& name, at::Tensor value, const at::Tensor& gradient);
  bool has_gradient(const Piece& piece) const { return piece.word < 0 || network_.has_gradient(piece.word); }
  double gradient_norm() const;
  void update(double learning_rate, double gradient_scale);

  TrainerOptions options_;
  PackedNetwork network_;
  std::vector<at::Tensor> exp_avgs_, exp_avg_sqs_;
  std::vector<Piece> pieces_;
  std::vector<uint8_t> moved_;  // words that had a gradient in any step
  int64_t updates_ = 0;
};

}  // namespace distilserve
