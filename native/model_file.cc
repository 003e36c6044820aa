#include "model_file.h"

#include <fcntl.h>
#include <torch/csrc/jit/serialization/export.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error.h"

namespace distilserve {
namespace {

// Writes all bytes; returns 0 or the system's error number.
int write_all(int descriptor, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t count = write(descriptor, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    data += count;
    size -= static_cast<size_t>(count);
  }
  return 0;
}

}  // namespace

void write_module(const torch::jit::Module& module, const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) fail("storage_failed", "Cannot write '", path, "': ", std::strerror(errno));
  // Not Module::save(path): its writer throws from a destructor when the disk is full (libtorch 2.11), which ends the
  // process. This one takes every byte and remembers the first failure.
  int error = 0;
  torch::jit::ExportModule(module, [&](const void* data, size_t size) {
    if (error == 0) error = write_all(descriptor, static_cast<const char*>(data), size);
    return size;
  });
  if (close(descriptor) != 0 && error == 0) error = errno;
  if (error != 0) fail("storage_failed", "Cannot write '", path, "': ", std::strerror(error));
}

}  // namespace distilserve
