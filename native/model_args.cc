#include "model_args.h"

#include "devices.h"

namespace distilserve {

Architecture read_architecture(const Napi::Value& value) {
  const Napi::Object object = read_object(value, "architecture");
  Architecture a;
  a.n_layers = read_integer(field(object, "nLayers"), "nLayers");
  a.dim = read_integer(field(object, "dim"), "dim");
  a.n_heads = read_integer(field(object, "nHeads"), "nHeads");
  a.hidden_dim = read_integer(field(object, "hiddenDim"), "hiddenDim");
  a.vocab_size = read_integer(field(object, "vocabSize"), "vocabSize");
  a.max_position_embeddings = read_integer(field(object, "maxPositionEmbeddings"), "maxPositionEmbeddings");
  a.pad_token_id = read_integer(field(object, "padTokenId"), "padTokenId");
  a.num_labels = read_integer(field(object, "numLabels"), "numLabels");
  a.dropout = read_number(field(object, "dropout"), "dropout");
  a.attention_dropout = read_number(field(object, "attentionDropout"), "attentionDropout");
  a.seq_classif_dropout = read_number(field(object, "seqClassifDropout"), "seqClassifDropout");
  a.layer_norm_eps = read_number(field(object, "layerNormEps"), "layerNormEps");
  a.activation = read_string(field(object, "activation"), "activation");
  return a;
}

std::vector<TensorSource> read_weights(const Napi::Value& value) {
  if (value.IsEmpty() || !value.IsArray()) fail("invalid_argument", "Expected weights to be an array of tensors");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<TensorSource> sources;
  for (uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::Object object = read_object(array.Get(index), "a tensor of weights");
    TensorSource source;
    source.name = read_string(field(object, "name"), "name");
    source.file = read_string(field(object, "file"), "file");
    source.dtype = read_string(field(object, "dtype"), "dtype");
    source.begin = static_cast<uint64_t>(read_integer(field(object, "begin"), "begin"));
    source.end = static_cast<uint64_t>(read_integer(field(object, "end"), "end"));
    const Napi::Value shape = field(object, "shape");
    if (!shape.IsArray()) fail("invalid_argument", "Expected shape to be an array of integers");
    const Napi::Array sizes = shape.As<Napi::Array>();
    for (uint32_t axis = 0; axis < sizes.Length(); ++axis) {
      source.shape.push_back(read_integer(sizes.Get(axis), "a size in shape"));
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

RaggedIds read_ragged(const Napi::Value& ids, const Napi::Value& offsets) {
  const View<int32_t> id_view = read_int32s(ids, "ids");
  const View<int32_t> offset_view = read_int32s(offsets, "offsets");
  if (offset_view.length < 2) fail("invalid_argument", "Expected offsets of rows + 1 entries, at least 2");
  return {id_view.data, offset_view.data, id_view.length, offset_view.length - 1};
}

int64_t read_threads(const Napi::Value& value) {
  const int64_t threads = read_integer(value, "threads");
  check_threads(threads);
  return threads;
}

Napi::Value make_floats(Napi::Env env, const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return make_floats(env, flat.const_data_ptr<float>(), static_cast<size_t>(flat.numel()));
}

}  // namespace distilserve
