// One training step in one call: forward, loss, backward, clipping and the optimizer.
#pragma once

#include <memory>
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
  std::string kernels = "auto";  // on the CPU; "aten": autograd
};

struct StepResult {
  double loss = 0;       // mean cross-entropy over the batch, before the update
  double grad_norm = 0;  // L2 norm of all gradients, before clipping
  bool skipped = false;  // loss or gradient was not finite: nothing was updated
};

// Whether AdamW's weight decay applies to a parameter: not to biases and LayerNorm's, as in Hugging Face's Trainer.
bool is_decayed(const std::string& name);

// What clipping multiplies gradients of this norm by, as torch.nn.utils.clip_grad_norm_ does: max_norm / (norm + 1e-6),
// only ever down; max_norm 0 is off.
double clip_scale(double norm, double max_norm);

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
