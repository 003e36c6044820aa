// Helper threads that a forward borrows for its parallel parts.
//
// One team for the process, as many helpers as the machine has cores beyond the first. A forward either gets the whole
// team or works alone: two forwards at once do better on a core each. Work is handed out in chunks by a counter, so that
// a helper that comes late, or not at all because its core is busy, delays nothing. Helpers spin for microseconds
// between the chunks of one forward and sleep otherwise.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rounding.h"

namespace distilserve {

// While it lives, parallel_for() on this thread uses up to `threads` threads, if the team is free.
class TeamLease {
 public:
  explicit TeamLease(int64_t threads);
  ~TeamLease();
  TeamLease(const TeamLease&) = delete;
  TeamLease& operator=(const TeamLease&) = delete;
};

// Threads that parallel_for() on this thread may use now, itself included.
int64_t parallel_threads();

namespace detail {
using ChunkFunction = void (*)(void* body, int64_t chunk);
void run_chunks(int64_t chunks, ChunkFunction function, void* body);
}  // namespace detail

// Calls body(chunk) once for each chunk from 0 to chunks - 1, in any order and on any thread; returns when all are done.
// body must not throw.
template <typename Body>
void parallel_for(int64_t chunks, Body&& body) {
  const auto call = [](void* body, int64_t chunk) {
    (*static_cast<std::remove_reference_t<Body>*>(body))(chunk);
  };
  detail::run_chunks(chunks, call, &body);
}

// Calls each(first, count) for the stretches of `size` that a range of `total` is cut into.
template <typename Each>
void parallel_chunks(int64_t total, int64_t size, const Each& each) {
  parallel_for(ceil_div(total, size), [&](int64_t chunk) { each(chunk * size, std::min(size, total - chunk * size)); });
}

}  // namespace distilserve
