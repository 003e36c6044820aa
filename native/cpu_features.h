// What the CPU can run, asked of the CPU and of the operating system.
#pragma once

#include <string>

namespace distilserve {

// "avx2", "avx512", "avxvnni", "avx512vnni", "avx512bf16", "amx_int8" or "amx_bf16"; what they build on included. AMX also
// needs the system's leave, which is asked for here, once for all threads of the process.
bool cpu_has(const std::string& feature);

}  // namespace distilserve
