#include "serving_program.h"

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <map>
#include <sstream>

#include "error.h"
#include "module_call.h"
#include "serving_ops.h"
#include "thread_team.h"

namespace distilserve {
namespace {

using torch::jit::Module;
using Parameters = std::map<std::string, at::Tensor>;

// A pass over more tokens than this is cut, between rows: it bounds the memory that a thread keeps.
constexpr int64_t kTokensPerPass = 2048;

// How far the program may be from the portable one in a probability, or a value of an embedding. The narrower dtypes' are
// for finding damage, not loss: of 4,000 texts whose probabilities were 0.005 off on average, the worst was 0.29 off.
constexpr double kFloat32Tolerance = 1e-5, kBfloat16Tolerance = 0.1, kInt8Tolerance = 0.4;

double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kChar ? kInt8Tolerance : dtype == at::kBFloat16 ? kBfloat16Tolerance : kFloat32Tolerance;
}

// Finds `distilserve.linear` and its like; torch.ops is a name of Python's.
struct OpsResolver : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& method,
                                                         const torch::jit::SourceRange& range) override {
    if (name == "distilserve") return std::make_shared<torch::jit::BuiltinModule>("distilserve");
    return torch::jit::nativeResolver()->resolveValue(name, method, range);
  }
};

Parameters parameters_of(const Module& module) {
  Parameters parameters;
  for (const auto& named : module.named_parameters()) parameters.emplace(named.name, named.value.detach());
  return parameters;
}

std::string layer_name(int64_t layer) { return "distilbert.transformer.layer." + std::to_string(layer) + "."; }

// Gathers the packed weights as attributes of the program, and its source text.
class Builder {
 public:
  Builder(const Parameters& parameters, const Architecture& a, const KernelChoice& kernels)
      : parameters_(parameters), a_(a), kernels_(kernels),
        program_(c10::QualifiedName("__torch__.distilserve.Serving"), std::make_shared<torch::jit::CompilationUnit>()) {}

  Module build() {
    add_embeddings();
    for (int64_t layer = 0; layer < a_.n_layers; ++layer) add_layer(layer);
    std::ostringstream source;
    source << "def embed(self, ids: Tensor, offsets: Tensor) -> Tensor:\n"
           << "    x = distilserve.embed_tokens(ids, offsets, self.embeddings)\n";
    for (int64_t layer = 0; layer < a_.n_layers; ++layer) source << layer_source(layer, false);
    source << "    return distilserve.mean_tokens(x, offsets)\n";
    if (a_.num_labels > 0) {
      add_linear(nullptr, "pre_classifier", {"pre_classifier"});
      add_linear(nullptr, "classifier", {"classifier"});
      source << "\ndef forward(self, ids: Tensor, offsets: Tensor) -> Tensor:\n"
             << "    x = distilserve.embed_tokens(ids, offsets, self.embeddings)\n";
      for (int64_t layer = 0; layer < a_.n_layers; ++layer) source << layer_source(layer, layer + 1 == a_.n_layers);
      source << "    pooled = distilserve.linear(x, self.pre_classifier, " << number(Activation::relu) << ")\n"
             << "    return distilserve.linear(pooled, self.classifier, " << number(Activation::none) << ")\n";
    }
    program_.define(source.str(), std::make_shared<OpsResolver>());
    return program_;
  }

 private:
  static int64_t number(Activation activation) { return static_cast<int64_t>(activation); }

  const at::Tensor& parameter(const std::string& name) const { return parameters_.at(name); }

  template <typename Packed>
  void attach(const std::string& name, const c10::intrusive_ptr<Packed>& packed) {
    program_.register_attribute(name, c10::getCustomClassType<c10::intrusive_ptr<Packed>>(), c10::IValue(packed));
  }

  void add_embeddings() {
    auto table = c10::make_intrusive<PackedEmbeddings>();
    table->kernels = kernels_.set;
    table->words = parameter("distilbert.embeddings.word_embeddings.weight");
    table->positions = parameter("distilbert.embeddings.position_embeddings.weight");
    table->gamma = parameter("distilbert.embeddings.LayerNorm.weight");
    table->beta = parameter("distilbert.embeddings.LayerNorm.bias");
    table->eps = a_.layer_norm_eps;
    attach("embeddings", table);
  }

  // The head is one row a text: float32 costs it nothing. `narrower` is null there.
  void add_linear(const LinearKernels* narrower, const std::string& name, const std::vector<std::string>& layers,
                  const std::string& norm = "") {
    std::vector<at::Tensor> weights, biases;
    for (const std::string& layer : layers) {
      weights.push_back(parameter(layer + ".weight"));
      biases.push_back(parameter(layer + ".bias"));
    }
    auto packed = c10::make_intrusive<PackedLinear>(kernels_.set, narrower, weights, biases);
    if (!norm.empty()) {
      packed->gamma = parameter(norm + ".weight");
      packed->beta = parameter(norm + ".bias");
      packed->eps = a_.layer_norm_eps;
    }
    attach(name, packed);
  }

  void add_layer(int64_t layer) {
    const std::string prefix = layer_name(layer), number = std::to_string(layer);
    const LinearKernels* narrower = kernels_.linear;
    add_linear(narrower, "qkv" + number, {prefix + "attention.q_lin", prefix + "attention.k_lin", prefix + "attention.v_lin"});
    add_linear(narrower, "out" + number, {prefix + "attention.out_lin"}, prefix + "sa_layer_norm");
    add_linear(narrower, "inner" + number, {prefix + "ffn.lin1"});
    add_linear(narrower, "outer" + number, {prefix + "ffn.lin2"}, prefix + "output_layer_norm");
  }

  std::string layer_source(int64_t layer, bool first_only) const {
    const Activation activation = a_.activation == "gelu" ? Activation::gelu : Activation::relu;
    std::ostringstream source;
    source << "    context = distilserve.attention(x, offsets, self.qkv" << layer << ", " << a_.n_heads << ", "
           << (first_only ? "True" : "False") << ")\n";
    if (first_only) source << "    x = distilserve.first_tokens(x, offsets)\n";
    source << "    x = distilserve.linear_add_norm(context, self.out" << layer << ", x)\n"
           << "    hidden = distilserve.linear(x, self.inner" << layer << ", " << number(activation) << ")\n"
           << "    x = distilserve.linear_add_norm(hidden, self.outer" << layer << ", x)\n";
    return source.str();
  }

  const Parameters& parameters_;
  const Architecture& a_;
  const KernelChoice& kernels_;
  Module program_;
};

at::Tensor wrap(const int32_t* data, int64_t count) {
  return at::from_blob(const_cast<int32_t*>(data), {count}, at::kInt);
}

}  // namespace

bool ServingProgram::fits(const Module& portable, const Architecture& a) {
  const Parameters parameters = parameters_of(portable);
  const auto is = [&](const std::string& name, at::IntArrayRef sizes) {
    const auto found = parameters.find(name);
    return found != parameters.end() && found->second.sizes() == sizes && found->second.scalar_type() == at::kFloat;
  };
  const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
    return is(name + ".weight", {out, in}) && is(name + ".bias", {out});
  };
  const auto norm = [&](const std::string& name) { return is(name + ".weight", {a.dim}) && is(name + ".bias", {a.dim}); };
  bool fits = is("distilbert.embeddings.word_embeddings.weight", {a.vocab_size, a.dim}) &&
              is("distilbert.embeddings.position_embeddings.weight", {a.max_position_embeddings, a.dim}) &&
              norm("distilbert.embeddings.LayerNorm") && (a.activation == "gelu" || a.activation == "relu") &&
              parameters.count(layer_name(a.n_layers) + "attention.q_lin.weight") == 0;
  for (int64_t layer = 0; fits && layer < a.n_layers; ++layer) {
    const std::string prefix = layer_name(layer);
    for (const char* name : {"q_lin", "k_lin", "v_lin", "out_lin"}) {
      fits = fits && linear(prefix + "attention." + name, a.dim, a.dim);
    }
    fits = fits && linear(prefix + "ffn.lin1", a.dim, a.hidden_dim) && linear(prefix + "ffn.lin2", a.hidden_dim, a.dim) &&
           norm(prefix + "sa_layer_norm") && norm(prefix + "output_layer_norm");
  }
  if (a.num_labels == 0) return fits;
  return fits && linear("pre_classifier", a.dim, a.dim) && linear("classifier", a.dim, a.num_labels);
}

ServingProgram::ServingProgram(const Module& portable, const Architecture& architecture, const KernelChoice& kernels)
    : kernels_(kernels.name), tolerance_(tolerance_of(kernels.dtype)) {
  register_serving_ops();
  const Parameters parameters = parameters_of(portable);
  program_ = Builder(parameters, architecture, kernels).build();
  program_.eval();
  check_against(portable, architecture);
}

at::Tensor ServingProgram::run(const char* method, const RaggedIds& batch, int64_t threads) const {
  const c10::InferenceMode inference_mode;
  const TeamLease lease(threads);
  at::Tensor result;  // [rows, width]
  for (int64_t row = 0, end; row < batch.rows; row = end) {
    const int64_t begin = batch.offsets[row];
    for (end = row + 1; end < batch.rows && batch.offsets[end + 1] - begin <= kTokensPerPass;) ++end;
    std::vector<int32_t> offsets(batch.offsets + row, batch.offsets + end + 1);
    for (int32_t& offset : offsets) offset -= static_cast<int32_t>(begin);
    const at::Tensor output = program_.get_method(method)({wrap(batch.ids + begin, offsets.back()),
                                                           wrap(offsets.data(), end + 1 - row)}).toTensor();
    if (!result.defined()) result = at::empty({batch.rows, output.size(1)}, at::kFloat);
    result.narrow(0, row, end - row).copy_(output);
  }
  return result;
}

void ServingProgram::check_against(const Module& portable, const Architecture& a) const {
  const c10::InferenceMode inference_mode;
  std::vector<int32_t> ids, offsets = {0};
  for (const int64_t length : {1, 5, 19}) {
    for (int64_t token = 0; token < std::min(length, a.max_position_embeddings); ++token) {
      ids.push_back(static_cast<int32_t>((1009 * ids.size() + 7) % static_cast<size_t>(a.vocab_size)));
    }
    offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  const RaggedIds batch = {ids.data(), offsets.data(), static_cast<int64_t>(ids.size()),
                           static_cast<int64_t>(offsets.size()) - 1};
  const PaddedGroup padded = pad_rows(batch, {0, 1, 2}, a.pad_token_id, at::kCPU);
  const bool classifies = a.num_labels > 0;
  const at::Tensor expected = call_module(portable, classifies ? "forward" : "embed", padded);
  // Weights that have diverged answer NaN here as there. That is refused where it is asked for, with the model's name.
  if (!at::isfinite(expected).all().item<bool>()) return;
  const at::Tensor answer = classifies ? logits(batch, 1) : embed(batch, 1);
  const at::Tensor difference = classifies ? at::softmax(answer, 1) - at::softmax(expected, 1) : answer - expected;
  const double worst = difference.abs().max().item<double>();
  if (!(worst <= tolerance_)) {
    fail("native_failure", "Expected the serving program (", kernels_, " kernels) to answer as the portable TorchScript ",
         "does but they differ by ", worst, "; the weights or config.json are damaged, or this is a bug");
  }
}

}  // namespace distilserve
