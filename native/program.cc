#include "program.h"

#include <iomanip>
#include <locale>
#include <sstream>

#include "error.h"

namespace distilserve {
namespace {

using torch::jit::Module;

// A float as TorchScript reads it: never "0", which would be an int.
std::string literal(double value) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::scientific << std::setprecision(16) << value;
  return text.str();
}

Module new_module(const std::shared_ptr<torch::jit::CompilationUnit>& unit, const std::string& name) {
  Module module(c10::QualifiedName("__torch__.distilserve." + name), unit, /*shouldMangle=*/true);
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

class Builder {
 public:
  explicit Builder(const Architecture& a) : a_(a), unit_(std::make_shared<torch::jit::CompilationUnit>()) {}

  Module build() {
    Module root = new_module(unit_, a_.num_labels > 0 ? "DistilBertForSequenceClassification" : "DistilBertEncoder");
    root.register_module("distilbert", distilbert());
    root.define(R"(
def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    return self.distilbert.forward(input_ids, attention_mask)

def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    hidden = self.distilbert.forward(input_ids, attention_mask)
    mask = attention_mask.unsqueeze(-1).type_as(hidden)
    mean = torch.sum(hidden * mask, [1]) / torch.clamp(torch.sum(mask, [1]), 1e-9)
    return mean / torch.clamp(torch.linalg_vector_norm(mean, 2, [-1], True), 1e-12)
)");
    if (a_.num_labels == 0) {
      root.define(R"(
def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    return self.embed(input_ids, attention_mask)
)");
      return root;
    }
    root.register_module("pre_classifier", linear(a_.dim, a_.dim));
    root.register_module("classifier", linear(a_.dim, a_.num_labels));
    std::ostringstream source;
    source << R"(
def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    first = torch.select(self.distilbert.forward(input_ids, attention_mask), 1, 0)
    pooled = torch.relu(torch.linear(first, self.pre_classifier.weight, self.pre_classifier.bias))
    pooled = torch.dropout(pooled, )"
           << literal(a_.seq_classif_dropout) << R"(, self.training)
    return torch.linear(pooled, self.classifier.weight, self.classifier.bias)
)";
    root.define(source.str());
    return root;
  }

 private:
  Module linear(int64_t in, int64_t out) {
    Module module = new_module(unit_, "Linear");
    module.register_parameter("weight", at::zeros({out, in}), /*is_buffer=*/false);
    module.register_parameter("bias", at::zeros({out}), /*is_buffer=*/false);
    return module;
  }

  Module layer_norm() {
    Module module = new_module(unit_, "LayerNorm");
    module.register_parameter("weight", at::ones({a_.dim}), /*is_buffer=*/false);
    module.register_parameter("bias", at::zeros({a_.dim}), /*is_buffer=*/false);
    return module;
  }

  Module embedding(int64_t rows) {
    Module module = new_module(unit_, "Embedding");
    module.register_parameter("weight", at::zeros({rows, a_.dim}), /*is_buffer=*/false);
    return module;
  }

  Module embeddings() {
    Module module = new_module(unit_, "Embeddings");
    module.register_module("word_embeddings", embedding(a_.vocab_size));
    module.register_module("position_embeddings", embedding(a_.max_position_embeddings));
    module.register_module("LayerNorm", layer_norm());
    std::ostringstream source;
    source << "def forward(self, input_ids: Tensor) -> Tensor:\n"
           << "    words = torch.embedding(self.word_embeddings.weight, input_ids, " << a_.pad_token_id << ")\n"
           << "    positions = self.position_embeddings.weight[0:input_ids.size(1)]\n"
           << "    normed = torch.layer_norm(words + positions, [" << a_.dim << "], self.LayerNorm.weight, "
           << "self.LayerNorm.bias, " << literal(a_.layer_norm_eps) << ")\n"
           << "    return torch.dropout(normed, " << literal(a_.dropout) << ", self.training)\n";
    module.define(source.str());
    return module;
  }

  Module attention() {
    Module module = new_module(unit_, "MultiHeadSelfAttention");
    for (const char* name : {"q_lin", "k_lin", "v_lin", "out_lin"}) {
      module.register_module(name, linear(a_.dim, a_.dim));
    }
    std::ostringstream source;
    const std::string heads = std::to_string(a_.n_heads) + ", " + std::to_string(a_.dim / a_.n_heads);
    source << "def forward(self, x: Tensor, mask: Tensor) -> Tensor:\n"
           << "    rows, length = x.size(0), x.size(1)\n";
    for (const char* name : {"q", "k", "v"}) {
      source << "    " << name << " = torch.linear(x, self." << name << "_lin.weight, self." << name
             << "_lin.bias).view([rows, length, " << heads << "]).transpose(1, 2)\n";
    }
    source << "    p = " << literal(a_.attention_dropout) << " if self.training else 0.0\n"
           << "    context = torch.scaled_dot_product_attention(q, k, v, mask, p)\n"
           << "    context = context.transpose(1, 2).reshape([rows, length, " << a_.dim << "])\n"
           << "    return torch.linear(context, self.out_lin.weight, self.out_lin.bias)\n";
    module.define(source.str());
    return module;
  }

  Module feed_forward() {
    Module module = new_module(unit_, "FFN");
    module.register_module("lin1", linear(a_.dim, a_.hidden_dim));
    module.register_module("lin2", linear(a_.hidden_dim, a_.dim));
    std::ostringstream source;
    source << "def forward(self, x: Tensor) -> Tensor:\n"
           << "    inner = " << activation("torch.linear(x, self.lin1.weight, self.lin1.bias)") << "\n"
           << "    out = torch.linear(inner, self.lin2.weight, self.lin2.bias)\n"
           << "    return torch.dropout(out, " << literal(a_.dropout) << ", self.training)\n";
    module.define(source.str());
    return module;
  }

  std::string activation(const std::string& argument) const {
    if (a_.activation == "gelu") return "torch.gelu(" + argument + ")";
    if (a_.activation == "relu") return "torch.relu(" + argument + ")";
    fail("invalid_argument", "Expected activation 'gelu' or 'relu' but received '", a_.activation, "'");
  }

  Module layer() {
    Module module = new_module(unit_, "TransformerBlock");
    module.register_module("attention", attention());
    module.register_module("sa_layer_norm", layer_norm());
    module.register_module("ffn", feed_forward());
    module.register_module("output_layer_norm", layer_norm());
    std::ostringstream source;
    const auto norm = [&](const char* name) {
      std::ostringstream text;
      text << ", [" << a_.dim << "], self." << name << ".weight, self." << name << ".bias, " << literal(a_.layer_norm_eps) << ")";
      return text.str();
    };
    source << "def forward(self, x: Tensor, mask: Tensor) -> Tensor:\n"
           << "    x = torch.layer_norm(x + self.attention.forward(x, mask)" << norm("sa_layer_norm") << "\n"
           << "    return torch.layer_norm(x + self.ffn.forward(x)" << norm("output_layer_norm") << "\n";
    module.define(source.str());
    return module;
  }

  Module distilbert() {
    Module layers = new_module(unit_, "ModuleList");
    for (int64_t index = 0; index < a_.n_layers; ++index) layers.register_module(std::to_string(index), layer());
    Module transformer = new_module(unit_, "Transformer");
    transformer.register_module("layer", layers);
    Module module = new_module(unit_, "DistilBertModel");
    module.register_module("embeddings", embeddings());
    module.register_module("transformer", transformer);
    std::ostringstream source;
    // The mask is [rows, 1, 1, length] and true where there is a token, as scaled_dot_product_attention wants it.
    source << "def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:\n"
           << "    mask = torch.ne(attention_mask, 0).unsqueeze(1).unsqueeze(1)\n"
           << "    x = self.embeddings.forward(input_ids)\n";
    for (int64_t index = 0; index < a_.n_layers; ++index) {
      source << "    x = getattr(self.transformer.layer, \"" << index << "\").forward(x, mask)\n";
    }
    source << "    return x\n";
    module.define(source.str());
    return module;
  }

  const Architecture& a_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
};

void check(const Architecture& a) {
  const auto positive = [](const char* name, int64_t value) {
    if (value < 1) fail("invalid_argument", "Expected ", name, " to be at least 1 but received ", value);
  };
  positive("n_layers", a.n_layers);
  positive("dim", a.dim);
  positive("n_heads", a.n_heads);
  positive("hidden_dim", a.hidden_dim);
  positive("vocab_size", a.vocab_size);
  positive("max_position_embeddings", a.max_position_embeddings);
  if (a.dim % a.n_heads != 0) {
    fail("invalid_argument", "Expected dim (", a.dim, ") to be a multiple of n_heads (", a.n_heads, ")");
  }
  if (a.pad_token_id < 0 || a.pad_token_id >= a.vocab_size) {
    fail("invalid_argument", "Expected pad_token_id from 0 to ", a.vocab_size - 1, " but received ", a.pad_token_id);
  }
  if (a.num_labels < 0) fail("invalid_argument", "Expected num_labels of 0 or more but received ", a.num_labels);
}

}  // namespace

torch::jit::Module define_distilbert(const Architecture& architecture) {
  check(architecture);
  return Builder(architecture).build();
}

}  // namespace distilserve
