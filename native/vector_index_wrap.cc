#include "vector_index_wrap.h"

#include "napi_util.h"

namespace distilserve {

Napi::Function VectorIndexWrap::define(Napi::Env env) {
  return DefineClass(env, "VectorIndex",
                     {InstanceMethod<&VectorIndexWrap::search>("search"),
                      InstanceMethod<&VectorIndexWrap::vector>("vector"),
                      InstanceMethod<&VectorIndexWrap::dispose>("dispose")});
}

VectorIndexWrap::VectorIndexWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VectorIndexWrap>(info) {
  guard(info.Env(), [&]() -> Napi::Value {
    const View<float> vectors = read_floats(info[0], "vectors");
    const int64_t dim = read_integer(info[1], "dim");
    if (dim < 1 || vectors.length % dim != 0) {
      fail("invalid_argument", "Expected vectors of a whole number of rows of ", dim, " but received ", vectors.length,
           " numbers");
    }
    index_ = std::make_unique<VectorIndex>(vectors.data, vectors.length / dim, dim);
    return {};
  });
}

const VectorIndex& VectorIndexWrap::index() const {
  if (!index_) fail("disposed", "Expected a VectorIndex in use but dispose() was called on this one");
  return *index_;
}

Napi::Value VectorIndexWrap::search(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const View<float> query = read_floats(info[0], "query");
    if (query.length != index().dim()) {
      fail("invalid_argument", "Expected a query of ", index().dim(), " numbers but received ", query.length);
    }
    const std::vector<Match> matches = index().search(query.data, read_integer(info[1], "k"));
    std::vector<int32_t> rows;
    std::vector<float> scores;
    for (const Match& match : matches) {
      rows.push_back(static_cast<int32_t>(match.row));
      scores.push_back(match.score);
    }
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("rows", make_int32s(info.Env(), rows.data(), rows.size()));
    result.Set("scores", make_floats(info.Env(), scores.data(), scores.size()));
    return result;
  });
}

Napi::Value VectorIndexWrap::vector(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    return make_floats(info.Env(), index().row(read_integer(info[0], "row")), static_cast<size_t>(index().dim()));
  });
}

Napi::Value VectorIndexWrap::dispose(const Napi::CallbackInfo& info) {
  index_.reset();
  return info.Env().Undefined();
}

}  // namespace distilserve
