// Training on the CPU through PackedNetwork: one step is forward, loss, backward, clipping and AdamW.
#pragma once

#include "packed_network.h"
#include "training_step.h"

namespace distilserve {

class PackedTraining {
 public:
  // Updates the parameters in place.
  PackedTraining(const Architecture& architecture, const OptimizerOptions& optimizer,
                 const std::vector<NamedParameter>& parameters, const KernelSet& kernels, uint64_t seed);

  StepResult step(const RaggedIds& batch, const int32_t* labels, double learning_rate, int64_t threads);

 private:
  // A stretch of one parameter that is updated at once.
  struct Piece {
    float *value, *gradient, *exp_avg, *exp_avg_sq;
    int64_t count;
    double weight_decay;
    int64_t word;  // the row of the word embeddings it is, or -1
  };

  void add_pieces(const NamedParameter& parameter, float* gradient, float* exp_avg, float* exp_avg_sq);
  bool has_gradient(const Piece& piece) const { return piece.word < 0 || network_.has_gradient(piece.word); }
  double gradient_norm() const;
  void update(double learning_rate, double gradient_scale);

  int64_t dim_;
  OptimizerOptions optimizer_;
  PackedNetwork network_;
  std::vector<std::vector<float>> exp_avgs_, exp_avg_sqs_;  // of each parameter
  std::vector<Piece> pieces_;
  std::vector<uint8_t> moved_;  // words that had a gradient in any step
  int64_t updates_ = 0;
};

}  // namespace distilserve
