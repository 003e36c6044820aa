#include "script_model.h"

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <sstream>

#include "devices.h"
#include "error.h"
#include "module_call.h"

namespace distilserve {
namespace {

// Not Module::to(device, dtype): that turns integer buffers, such as a traced model's position ids, into floats too.
void move_to(torch::jit::Module& module, at::Device device, at::ScalarType dtype) {
  const auto move = [&](at::Tensor tensor) {
    tensor.set_data(tensor.is_floating_point() ? tensor.to(device, dtype) : tensor.to(device));
  };
  for (const at::Tensor& parameter : module.parameters()) move(parameter);
  for (const at::Tensor& buffer : module.buffers()) move(buffer);
}

torch::jit::Module read_module(const std::string& path, at::Device device) {
  try {
    torch::jit::Module module = torch::jit::load(path, device);
    module.eval();
    return module;
  } catch (const c10::OutOfMemoryError&) {
    throw;  // a c10::Error too, but the file is not at fault
  } catch (const c10::Error& error) {
    fail("model_invalid", "Expected TorchScript in '", path, "' but it does not load: ", error.what_without_backtrace());
  } catch (const torch::jit::ErrorReport& error) {
    fail("model_invalid", "Expected TorchScript in '", path, "' but it does not compile: ", error.what());
  }
}

// A file replaced under the same name is another model: device, inode, size and time of change tell them apart.
std::string cache_key(const std::string& path, const Placement& placement, const ServingOptions& serving) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    fail("model_missing", "Expected a TorchScript file at '", path, "' but there is none");
  }
  std::ostringstream key;
  key << status.st_dev << ':' << status.st_ino << ':' << status.st_size << ':' << status.st_mtim.tv_sec << '.'
      << status.st_mtim.tv_nsec << '@' << placement.device << '/' << placement.dtype << '/'
      << serving.kernels << (serving.architecture ? "+" : "-");
  return key.str();
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

IdLimits limits_of(const torch::jit::Module& module) {
  IdLimits limits;
  for (const auto& named : module.named_parameters()) {
    if (ends_with(named.name, "word_embeddings.weight")) limits.vocab_size = named.value.size(0);
    if (ends_with(named.name, "position_embeddings.weight")) limits.max_length = named.value.size(0);
  }
  return limits;
}

}  // namespace

std::shared_ptr<ScriptModel> ScriptModel::load(const std::string& path, const Placement& placement,
                                               const ServingOptions& serving) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<ScriptModel>> cache;
  // Held while loading: threads that start together wait for the first one's copy instead of each reading their own.
  const std::lock_guard<std::mutex> lock(mutex);
  const std::string key = cache_key(path, placement, serving);
  if (auto shared = cache[key].lock()) return shared;
  auto model = std::make_shared<ScriptModel>(read_module(path, placement.device), placement, serving);
  std::erase_if(cache, [](const auto& entry) { return entry.second.expired(); });
  cache[key] = model;
  return model;
}

ScriptModel::ScriptModel(torch::jit::Module module, const Placement& placement, const ServingOptions& serving)
    : module_(std::move(module)), placement_(placement), limits_(limits_of(module_)) {
  if (placement_.device.is_cpu() && serving.architecture) {
    const KernelChoice& kernels = choose_kernels(serving.kernels, placement_.dtype);
    move_to(module_, placement_.device, at::kFloat);  // the program packs from float32, whatever it computes in
    if (ServingProgram::fits(module_, *serving.architecture)) {
      program_.emplace(module_, *serving.architecture, kernels);
      module_ = torch::jit::Module();  // its linear weights are in the program once more, packed
      return;
    }
  }
  if (placement_.dtype == at::kChar) {
    fail("dtype_unavailable", "Expected a DistilBERT with the parameters of its config.json for dtype 'int8' but this ",
         "TorchScript has others, or came without its architecture; take float32");
  }
  move_to(module_, placement_.device, placement_.dtype);
}

at::Tensor ScriptModel::logits(const RaggedIds& batch, int64_t threads) const {
  check_ragged(batch, limits_);
  return program_ ? program_->logits(batch, threads) : run("forward", batch, threads);
}

at::Tensor ScriptModel::embed(const RaggedIds& batch, int64_t threads) const {
  check_ragged(batch, limits_);
  if (program_) return program_->embed(batch, threads);
  if (!module_.find_method("embed")) {
    fail("invalid_argument", "Expected a model with an embed() method but this TorchScript has none; ",
         "import it with this project's own commands to get one");
  }
  at::Tensor embeddings = run("embed", batch, threads);
  // A half-precision norm is right to 3 digits only; whoever compares embeddings relies on 5.
  if (placement_.dtype != at::kFloat) {
    const c10::InferenceMode inference_mode;
    embeddings /= at::linalg_vector_norm(embeddings, 2, {-1}, /*keepdim=*/true).clamp_min(1e-12);
  }
  return embeddings;
}

at::Tensor ScriptModel::run(const char* method, const RaggedIds& batch, int64_t threads) const {
  set_threads(threads);
  const c10::InferenceMode inference_mode;
  at::Tensor result;  // [rows, width]
  for (auto& rows : group_by_length(batch)) {
    const PaddedGroup group = pad_rows(batch, std::move(rows), /*pad_token_id=*/0, placement_.device);
    const at::Tensor output = call_module(module_, method, group);
    if (!result.defined()) result = at::empty({batch.rows, output.size(1)}, at::kFloat);
    result.index_copy_(0, at::tensor(group.order, at::kLong), output);
  }
  return result;
}

}  // namespace distilserve
