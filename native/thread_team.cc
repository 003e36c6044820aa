#include "thread_team.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace distilserve {
namespace {

// How often a waiting thread looks before it sleeps: some 20 microseconds, the time between two parallel parts.
constexpr int kSpins = 1000;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Until `ready`. A helper that is late with its chunk may wait for the very core this thread spins on.
template <typename Ready>
void wait_until(const Ready& ready) {
  for (int spin = 0; !ready(); ++spin) {
    if (spin < kSpins) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
}

class Team {
 public:
  // Never destroyed: its threads sleep until the process ends.
  static Team& instance() {
    static Team* team = new Team(std::max<int64_t>(0, int64_t{std::thread::hardware_concurrency()} - 1));
    return *team;
  }

  // The number of helpers given, 0 when the team is taken.
  int64_t take(int64_t wanted) {
    wanted = std::min(wanted, helpers_);
    if (wanted < 1 || !free_.try_lock()) return 0;
    invited_.store(wanted);
    held_.store(true);
    wake();
    return wanted;
  }

  void give_back() {
    held_.store(false);
    free_.unlock();
  }

  void run(int64_t chunks, detail::ChunkFunction function, void* body) {
    function_ = function;
    body_ = body;
    chunks_ = chunks;
    done_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    open_.store(true);
    if (sleepers_.load() > 0) wake();
    work();
    wait_until([&] { return done_.load(std::memory_order_acquire) == chunks; });
    // No helper may look at this job once its fields change: one that counted itself in before `open_` fell is waited
    // for, one that comes later sees that it fell.
    open_.store(false);
    wait_until([&] { return inside_.load() == 0; });
  }

 private:
  explicit Team(int64_t helpers) : helpers_(helpers) {
    for (int64_t helper = 0; helper < helpers; ++helper) std::thread([this, helper] { serve(helper); }).detach();
  }

  void wake() {
    signal_.fetch_add(1);
    signal_.notify_all();
  }

  void work() {
    for (int64_t chunk; (chunk = next_.fetch_add(1, std::memory_order_relaxed)) < chunks_;) {
      function_(body_, chunk);
      done_.fetch_add(1, std::memory_order_release);
    }
  }

  [[noreturn]] void serve(int64_t helper) {
    for (;;) {
      const uint32_t seen = signal_.load();
      for (int spin = 0; spin < kSpins && held_.load() && helper < invited_.load(); ++spin) {
        if (open_.load()) {
          inside_.fetch_add(1);
          if (open_.load()) {
            work();
            spin = 0;
          }
          inside_.fetch_sub(1);
        }
        pause_briefly();
      }
      sleepers_.fetch_add(1);
      if (!open_.load() || helper >= invited_.load()) signal_.wait(seen);
      sleepers_.fetch_sub(1);
    }
  }

  const int64_t helpers_;
  std::mutex free_;
  std::atomic<bool> held_{false};
  std::atomic<bool> open_{false};
  std::atomic<int64_t> invited_{0};
  std::atomic<int64_t> inside_{0};
  std::atomic<int64_t> sleepers_{0};
  std::atomic<uint32_t> signal_{0};
  detail::ChunkFunction function_ = nullptr;
  void* body_ = nullptr;
  int64_t chunks_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> done_{0};
};

thread_local int64_t helpers_of_thread = 0;

}  // namespace

TeamLease::TeamLease(int64_t threads) { helpers_of_thread = threads > 1 ? Team::instance().take(threads - 1) : 0; }

TeamLease::~TeamLease() {
  if (helpers_of_thread > 0) Team::instance().give_back();
  helpers_of_thread = 0;
}

int64_t parallel_threads() { return helpers_of_thread + 1; }

void detail::run_chunks(int64_t chunks, ChunkFunction function, void* body) {
  if (helpers_of_thread > 0 && chunks > 1) return Team::instance().run(chunks, function, body);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) function(body, chunk);
}

}  // namespace distilserve
