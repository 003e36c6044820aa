// One training step in one call: forward, loss, backward, clipping and the optimizer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "architecture.h"
#include "devices.h"
#include "ragged.h"
#include "torch_api.h"
#include "training_step.h"
#include "weights.h"

namespace distilserve {

struct TrainerOptions {
  Architecture architecture;
  std::vector<TensorSource> weights;
  uint64_t seed = 0;
  OptimizerOptions optimizer;
  std::string kernels = "auto";  // on the CPU; "aten": autograd
};

class PackedTraining;

// On the CPU, where this project's kernels run, steps go through PackedTraining; elsewhere through TorchScript and
// autograd.
class Trainer {
 public:
  Trainer(const TrainerOptions& options, const Placement& placement);
  ~Trainer();

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

  StepResult step_by_autograd(const RaggedIds& batch, const int32_t* labels, double learning_rate);
  void add_groups();
  void clear_gradients();
  double clip_gradients();
  void update(double learning_rate);

  TrainerOptions options_;
  Placement placement_;
  torch::jit::Module module_;
  std::unique_ptr<PackedTraining> packed_;  // null: autograd
  std::vector<Group> groups_;
};

// Builds an architecture with the given weights and writes it as TorchScript.
void write_model(const Architecture& architecture, const std::vector<TensorSource>& weights, uint64_t seed,
                 const std::string& path);

}  // namespace distilserve
