// The one header that pulls in torch; it is precompiled, since it dominates compile time.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/script.h>
