#include "trainer_wrap.h"

#include "model_args.h"

namespace distilserve {

Napi::Function TrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "Trainer",
                     {InstanceMethod<&TrainerWrap::step>("step"), InstanceMethod<&TrainerWrap::logits>("logits"),
                      InstanceMethod<&TrainerWrap::save>("save"), InstanceMethod<&TrainerWrap::dispose>("dispose")});
}

TrainerWrap::TrainerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerWrap>(info) {
  guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Object object = read_object(info[0], "options");
    TrainerOptions options;
    options.architecture = read_architecture(field(object, "architecture"));
    options.weights = read_weights(field(object, "weights"));
    options.seed = static_cast<uint64_t>(read_integer(field(object, "seed"), "seed"));
    options.optimizer.weight_decay = read_number(field(object, "weightDecay"), "weightDecay");
    options.optimizer.max_grad_norm = read_number(field(object, "maxGradNorm"), "maxGradNorm");
    options.kernels = read_string(field(object, "kernels"), "kernels");
    threads_ = read_integer(field(object, "threads"), "threads");
    const Placement placement =
        parse_placement(read_string(field(object, "device"), "device"), read_string(field(object, "dtype"), "dtype"));
    set_threads(threads_);
    trainer_ = std::make_unique<Trainer>(options, placement);
    return {};
  });
}

Trainer& TrainerWrap::trainer() {
  if (!trainer_) fail("disposed", "Expected a Trainer in use but dispose() was called on this one");
  return *trainer_;
}

Napi::Value TrainerWrap::step(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    set_threads(threads_);
    const RaggedIds batch = read_ragged(info[0], info[1]);
    const View<int32_t> labels = read_int32s(info[2], "labels");
    if (labels.length != batch.rows) {
      fail("invalid_argument", "Expected one label a row (", batch.rows, ") but received ", labels.length);
    }
    const StepResult step = trainer().step(batch, labels.data, read_number(info[3], "learningRate"));
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("loss", step.loss);
    result.Set("gradNorm", step.grad_norm);
    result.Set("skipped", step.skipped);
    return result;
  });
}

Napi::Value TrainerWrap::logits(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    set_threads(threads_);
    return make_floats(info.Env(), trainer().logits(read_ragged(info[0], info[1])));
  });
}

Napi::Value TrainerWrap::save(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    trainer().save(read_string(info[0], "path"));
    return info.Env().Undefined();
  });
}

Napi::Value TrainerWrap::dispose(const Napi::CallbackInfo& info) {
  trainer_.reset();
  return info.Env().Undefined();
}

Napi::Value write_model_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    write_model(read_architecture(info[0]), read_weights(info[1]), static_cast<uint64_t>(read_integer(info[2], "seed")),
                read_string(info[3], "path"));
    return info.Env().Undefined();
  });
}

}  // namespace distilserve
