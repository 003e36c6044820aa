// The numbers that fix a DistilBERT's shape; the same names as in Hugging Face's config.json where it has them.
#pragma once

#include <cstdint>
#include <string>

namespace distilserve {

struct Architecture {
  int64_t n_layers = 0;
  int64_t dim = 0;
  int64_t n_heads = 0;
  int64_t hidden_dim = 0;
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 0;
  int64_t pad_token_id = 0;
  int64_t num_labels = 0;  // 0: an encoder, without classification head
  double dropout = 0.1;
  double attention_dropout = 0.1;
  double seq_classif_dropout = 0.2;
  double layer_norm_eps = 1e-12;
  std::string activation = "gelu";
};

}  // namespace distilserve
