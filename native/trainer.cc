#include "trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.h"
#include "kernel_sets.h"
#include "model_file.h"
#include "packed_training.h"
#include "padded.h"
#include "program.h"

namespace distilserve {
namespace {

torch::jit::Module build_model(const Architecture& architecture, const std::vector<TensorSource>& weights,
                               uint64_t seed) {
  torch::jit::Module module = define_distilbert(architecture);
  load_weights(module, weights, seed);
  return module;
}

}  // namespace

Trainer::Trainer(const TrainerOptions& options, const Placement& placement)
    : options_(options), placement_(placement),
      module_(build_model(options.architecture, options.weights, options.seed)) {
  if (options_.architecture.num_labels < 2) {
    fail("invalid_argument", "Expected at least 2 labels to train but received ", options_.architecture.num_labels);
  }
  if (placement_.dtype != at::kFloat) {
    fail("dtype_unavailable", "Expected dtype 'float32' for training but received '", dtype_name(placement_.dtype), "'");
  }
  module_.to(placement_.device);
  const KernelChoice& kernels = choose_kernels(options_.kernels);
  if (placement_.device.is_cpu() && kernels.set != nullptr) {
    std::vector<NamedParameter> parameters;
    for (const auto& named : module_.named_parameters()) {
      parameters.push_back({named.name, named.value.data_ptr<float>(), named.value.numel()});
    }
    packed_ = std::make_unique<PackedTraining>(options_.architecture, options_.optimizer, parameters, *kernels.set,
                                               options_.seed);
    return;
  }
  at::manual_seed(options_.seed);  // dropout draws from the device's default generator
  add_groups();
}

Trainer::~Trainer() = default;

void Trainer::add_groups() {
  groups_.resize(2);
  groups_[0].weight_decay = options_.optimizer.weight_decay;
  for (const auto& named : module_.named_parameters()) {
    Group& group = groups_[is_decayed(named.name) ? 0 : 1];
    at::Tensor parameter = named.value;
    parameter.set_requires_grad(true);
    group.parameters.push_back(parameter);
    group.exp_avgs.push_back(at::zeros_like(parameter));
    group.exp_avg_sqs.push_back(at::zeros_like(parameter));
    group.steps.push_back(at::zeros({}, parameter.options().requires_grad(false)));
  }
}

StepResult Trainer::step(const RaggedIds& batch, const int32_t* labels, double learning_rate) {
  const Architecture& a = options_.architecture;
  check_ragged(batch, {a.vocab_size, a.max_position_embeddings});
  for (int64_t row = 0; row < batch.rows; ++row) {
    if (labels[row] < 0 || labels[row] >= a.num_labels) {
      fail("invalid_argument", "Expected labels from 0 to ", a.num_labels - 1, " but row ", row, " has ", labels[row]);
    }
  }
  if (packed_) return packed_->step(batch, labels, learning_rate, at::get_num_threads());
  return step_by_autograd(batch, labels, learning_rate);
}

StepResult Trainer::step_by_autograd(const RaggedIds& batch, const int32_t* labels, double learning_rate) {
  std::vector<int64_t> order(batch.rows);
  std::iota(order.begin(), order.end(), int64_t{0});
  const at::Tensor targets = at::tensor(at::ArrayRef<int32_t>(labels, batch.rows)).to(at::kLong);
  clear_gradients();  // those of a step that threw halfway
  module_.train();
  const PaddedGroup padded = pad_rows(batch, std::move(order), options_.architecture.pad_token_id, placement_.device);
  const at::Tensor logits = module_.forward({padded.input_ids, padded.attention_mask}).toTensor();
  const at::Tensor loss = at::cross_entropy_loss(logits, targets.to(placement_.device));
  StepResult result;
  result.loss = loss.item<double>();
  if (std::isfinite(result.loss)) {
    loss.backward();
    result.grad_norm = clip_gradients();
  }
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(result.grad_norm);
  if (!result.skipped) update(learning_rate);
  clear_gradients();
  return result;
}

void Trainer::clear_gradients() {
  for (Group& group : groups_) {
    for (at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

double Trainer::clip_gradients() {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) gradients.push_back(parameter.grad());
  }
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2).item<double>();
  const double scale = clip_scale(norm, options_.optimizer.max_grad_norm);
  if (std::isfinite(norm) && scale < 1.0) at::_foreach_mul_(gradients, scale);
  return norm;
}

void Trainer::update(double learning_rate) {
  at::NoGradGuard no_grad;
  for (Group& group : groups_) {
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& parameter : group.parameters) gradients.push_back(parameter.grad());
    at::_foreach_add_(group.steps, 1.0);
    at::_fused_adamw_(group.parameters, gradients, group.exp_avgs, group.exp_avg_sqs, /*max_exp_avg_sqs=*/{},
                      group.steps, learning_rate, options_.optimizer.beta1, options_.optimizer.beta2, group.weight_decay, options_.optimizer.eps,
                      /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, /*found_inf=*/{});
  }
}

at::Tensor Trainer::logits(const RaggedIds& batch) {
  const Architecture& a = options_.architecture;
  check_ragged(batch, {a.vocab_size, a.max_position_embeddings});
  at::NoGradGuard no_grad;
  module_.eval();
  at::Tensor result = at::empty({batch.rows, a.num_labels}, at::kFloat);
  for (auto& rows : group_by_length(batch)) {
    const PaddedGroup group = pad_rows(batch, std::move(rows), a.pad_token_id, placement_.device);
    const at::Tensor output = module_.forward({group.input_ids, group.attention_mask}).toTensor();
    result.index_copy_(0, at::tensor(group.order, at::kLong), output.to(at::kCPU));
  }
  return result;
}

void Trainer::save(const std::string& path) {
  module_.eval();
  if (placement_.device.is_cpu()) return write_module(module_, path);
  torch::jit::Module copy = module_.deepcopy();
  copy.to(at::kCPU);
  write_module(copy, path);
}

void write_model(const Architecture& architecture, const std::vector<TensorSource>& weights, uint64_t seed,
                 const std::string& path) {
  torch::jit::Module module = build_model(architecture, weights, seed);
  module.eval();
  write_module(module, path);
}

}  // namespace distilserve
