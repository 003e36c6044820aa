#include "packed_training.h"

#include <algorithm>
#include <cmath>

#include "thread_team.h"

namespace distilserve {
namespace {

constexpr int64_t kValuesPerPiece = 16'384;
constexpr int64_t kPiecesPerChunk = 64;
constexpr const char* kWords = "distilbert.embeddings.word_embeddings.weight";

}  // namespace

PackedTraining::PackedTraining(const Architecture& architecture, const OptimizerOptions& optimizer,
                               const std::vector<NamedParameter>& parameters, const KernelSet& kernels, uint64_t seed)
    : dim_(architecture.dim), optimizer_(optimizer), network_(architecture, parameters, kernels, seed),
      moved_(architecture.vocab_size, 0) {
  for (size_t index = 0; index < parameters.size(); ++index) {
    exp_avgs_.emplace_back(parameters[index].size, 0.0f);
    exp_avg_sqs_.emplace_back(parameters[index].size, 0.0f);
    add_pieces(parameters[index], network_.gradient(index), exp_avgs_.back().data(), exp_avg_sqs_.back().data());
  }
}

void PackedTraining::add_pieces(const NamedParameter& parameter, float* gradient, float* exp_avg, float* exp_avg_sq) {
  const bool words = parameter.name == kWords;
  const int64_t size = words ? dim_ : kValuesPerPiece;
  const double weight_decay = is_decayed(parameter.name) ? optimizer_.weight_decay : 0.0;
  for (int64_t begin = 0; begin < parameter.size; begin += size) {
    pieces_.push_back({parameter.value + begin, gradient + begin, exp_avg + begin, exp_avg_sq + begin,
                       std::min(size, parameter.size - begin), weight_decay, words ? begin / size : -1});
  }
}

StepResult PackedTraining::step(const RaggedIds& batch, const int32_t* labels, double learning_rate, int64_t threads) {
  const TeamLease lease(threads);
  StepResult result;
  result.loss = network_.forward(batch, labels);
  if (std::isfinite(result.loss)) {
    network_.backward(batch, labels);
    result.grad_norm = gradient_norm();
  }
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(result.grad_norm);
  if (!result.skipped) update(learning_rate, clip_scale(result.grad_norm, optimizer_.max_grad_norm));
  return result;
}

double PackedTraining::gradient_norm() const {
  const int64_t count = static_cast<int64_t>(pieces_.size());
  std::vector<double> squares(ceil_div(count, kPiecesPerChunk), 0.0);
  parallel_chunks(count, kPiecesPerChunk, [&](int64_t first, int64_t pieces) {
    for (int64_t index = first; index < first + pieces; ++index) {
      const Piece& piece = pieces_[index];
      if (has_gradient(piece)) squares[first / kPiecesPerChunk] += network_.kernels().square_sum(piece.gradient, piece.count);
    }
  });
  double total = 0;
  for (const double square : squares) total += square;
  return std::sqrt(total);
}

void PackedTraining::update(double learning_rate, double gradient_scale) {
  ++updates_;
  for (const Piece& piece : pieces_) {
    if (piece.word >= 0 && has_gradient(piece)) moved_[piece.word] = 1;
  }
  const double step_size = learning_rate / (1.0 - std::pow(optimizer_.beta1, updates_));
  const double root_correction = 1.0 / std::sqrt(1.0 - std::pow(optimizer_.beta2, updates_));
  const int64_t count = static_cast<int64_t>(pieces_.size());
  parallel_chunks(count, kPiecesPerChunk, [&](int64_t first, int64_t pieces) {
    for (int64_t index = first; index < first + pieces; ++index) {
      const Piece& piece = pieces_[index];
      const auto decay = static_cast<float>(1.0 - learning_rate * piece.weight_decay);
      if (piece.word >= 0 && moved_[piece.word] == 0) {
        // Gradient and moments are zero: what is left of AdamW is the decay.
        for (int64_t i = 0; i < piece.count; ++i) piece.value[i] *= decay;
        continue;
      }
      network_.kernels().adamw(piece.value, piece.gradient, piece.exp_avg, piece.exp_avg_sq, piece.count,
                               {decay, static_cast<float>(optimizer_.beta1), static_cast<float>(optimizer_.beta2),
                                static_cast<float>(optimizer_.eps), static_cast<float>(step_size),
                                static_cast<float>(root_correction), static_cast<float>(gradient_scale)});
    }
  });
}

}  // namespace distilserve
