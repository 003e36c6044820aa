#include "weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "error.h"

namespace distilserve {
namespace {

// A file that is read at given places. Not mapped: a map of a file that another process cuts ends this process.
class File {
 public:
  explicit File(const std::string& path) : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("model_missing", "Cannot open '", path, "': ", std::strerror(errno));
    struct stat status {};
    if (fstat(descriptor_, &status) == 0) size_ = static_cast<uint64_t>(status.st_size);
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  uint64_t size() const { return size_; }

  void read(void* target, uint64_t bytes, uint64_t offset) const {
    for (uint64_t done = 0; done < bytes;) {
      const ssize_t count =
          pread(descriptor_, static_cast<char*>(target) + done, bytes - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        fail("model_invalid", "Expected ", bytes, " bytes at ", offset, " of '", path_, "' but reading stopped after ",
             done, count < 0 ? std::string(": ") + std::strerror(errno) : std::string("; the file was cut"));
      }
      done += static_cast<uint64_t>(count);
    }
  }

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
};

at::ScalarType scalar_type(const TensorSource& source) {
  if (source.dtype == "F32") return at::kFloat;
  if (source.dtype == "F16") return at::kHalf;
  if (source.dtype == "BF16") return at::kBFloat16;
  if (source.dtype == "F64") return at::kDouble;
  fail("model_invalid", "Expected tensor '", source.name, "' of ", source.file,
       " to be F32, F16, BF16 or F64 but its dtype is ", source.dtype);
}

// A float32 copy of the source's data.
at::Tensor read_tensor(const TensorSource& source, const File& file) {
  const at::ScalarType type = scalar_type(source);
  uint64_t bytes = c10::elementSize(type);
  for (const int64_t size : source.shape) {
    if (size < 0 || (size > 0 && bytes > file.size() / static_cast<uint64_t>(size))) bytes = UINT64_MAX;
    if (bytes == UINT64_MAX) break;
    bytes *= static_cast<uint64_t>(size);
  }
  if (source.begin > source.end || source.end > file.size() || source.end - source.begin != bytes) {
    fail("model_invalid", "Expected tensor '", source.name, "' within ", source.file, " (", file.size(),
         " bytes) but its header says bytes ", source.begin, " to ", source.end, "; the file is cut or damaged");
  }
  at::Tensor tensor = at::empty(source.shape, at::kFloat);
  at::Tensor raw = type == at::kFloat ? tensor : at::empty(source.shape, type);
  file.read(raw.data_ptr(), bytes, source.begin);
  if (type != at::kFloat) tensor.copy_(raw);
  if (!at::isfinite(tensor).all().item<bool>()) {
    fail("model_invalid", "Expected tensor '", source.name, "' of ", source.file,
         " to be finite but it holds NaN or infinity");
  }
  return tensor;
}

bool is_head(const std::string& name) {
  return name.rfind("pre_classifier.", 0) == 0 || name.rfind("classifier.", 0) == 0;
}

void initialise_head(const std::string& name, at::Tensor& parameter, at::Generator& generator) {
  if (name.size() > 5 && name.compare(name.size() - 5, 5, ".bias") == 0) {
    parameter.zero_();
  } else {
    parameter.normal_(0.0, 0.02, generator);
  }
}

}  // namespace

void load_weights(torch::jit::Module& module, const std::vector<TensorSource>& sources, uint64_t seed) {
  at::NoGradGuard no_grad;
  std::map<std::string, std::unique_ptr<File>> files;
  std::map<std::string, at::Tensor> tensors;
  for (const TensorSource& source : sources) {
    auto& file = files[source.file];
    if (!file) file = std::make_unique<File>(source.file);
    if (!tensors.emplace(source.name, read_tensor(source, *file)).second) {
      fail("model_invalid", "Expected one tensor for '", source.name, "' but ", source.file, " brings a second one");
    }
  }
  at::Generator generator = at::detail::createCPUGenerator(seed);
  std::set<std::string> used;
  for (const auto& named : module.named_parameters()) {
    at::Tensor parameter = named.value;
    const auto found = tensors.find(named.name);
    if (found == tensors.end()) {
      if (!is_head(named.name)) fail("model_invalid", "Expected a tensor for '", named.name, "' but the weights have none");
      initialise_head(named.name, parameter, generator);
      continue;
    }
    if (found->second.sizes() != parameter.sizes()) {
      fail("model_invalid", "Expected '", named.name, "' of shape ", parameter.sizes(), " but the weights have ",
           found->second.sizes());
    }
    parameter.copy_(found->second);
    used.insert(named.name);
  }
  if (const auto found = tensors.find(kTokenType); found != tensors.end()) {
    at::Tensor positions = module.attr("distilbert").toModule().attr("embeddings").toModule()
                               .attr("position_embeddings").toModule().attr("weight").toTensor();
    if (found->second.dim() != 2 || found->second.size(0) < 1 || found->second.size(1) != positions.size(1)) {
      fail("model_invalid", "Expected token type embeddings [types, ", positions.size(1), "] but received ",
           found->second.sizes());
    }
    positions.add_(found->second[0]);
    used.insert(kTokenType);
  }
  for (const auto& [name, tensor] : tensors) {
    if (used.count(name) == 0) fail("model_invalid", "Expected only DistilBERT's tensors but received '", name, "'");
  }
}

}  // namespace distilserve
