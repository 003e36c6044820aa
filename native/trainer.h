// One training step in one call: forward, loss, backward, clipping and the optimizer.
#pragma once

#include <string>
#include <vector>

#include "architecture.h"
#include "devices.h"
#include "ragged.h"
#include "torch_api.h"
#include "weights.h"

namespace distilserve {

// AdamW as in Loshchilov & Hutter 2019; biases and LayerNorm parameters are not decayed, as in Hugging Face's Trainer.
struct TrainerOptions {
  Architecture architecture;
  std::vector<TensorSource> weights;
  uint64_t seed = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double max_grad_norm = 1.0;  // 0: no clipping
};

struct StepResult {
  double loss = 0;       // mean cross-entropy over the batch, before the update
  double grad_norm = 0;  // L2 norm of all gradients, before clipping
  bool skipped = false;  // loss or gradient was not finite: nothing was updated
};

class Trainer {
 public:
  Trainer(const TrainerOptions& options, const Placement& placement);

  // labels: [rows], each 0 to num_labels - 1.
  StepResult step(const RaggedIds& batch, const int32_t* labels, double learning_rate);
  // Logits [rows, num_labels] with dropout off and no gradients.
  at::Tensor logits(const RaggedIds& batch);
  // Writes TorchScript that torch.jit.load opens.
  void save(const std::string& path);

 private:
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> parameters, exp_avgs, exp_avg_sqs, steps;
  };

  void add_groups();
  void clear_gradients();
  double clip_gradients();
  void update(double learning_rate);

  TrainerOptions options_;
  Placement placement_;
  torch::jit::Module module_;
  std::vector<Group> groups_;
};

// Builds an architecture with the given weights and writes it as TorchScript.
void write_model(const Architecture& architecture, const std::vector<TensorSource>& weights, uint64_t seed,
                 const std::string& path);

}  // namespace distilserve
