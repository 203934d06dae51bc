// Linear layers on the processor: by oneDNN where nothing is recorded. Its products are up to a quarter faster
// than MKL's on AMD's processors, and a row's sum does not depend on the other rows, nor on threads.
#include "CTorch.h"
#include "Border.h"

#include <optional>
#include <string_view>

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>

namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Pointwise = at::Tensor(
    const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, std::string_view,
    Scalars, std::optional<std::string_view>);

/// Not every build of libtorch has it.
const c10::TypedOperatorHandle<Pointwise> *by_oneDNN() {
    static const auto found = [] {
        auto handle =
            c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
        return handle ? std::make_optional(handle->typed<Pointwise>()) : std::nullopt;
    }();
    return found ? &*found : nullptr;
}

bool suits(const at::Tensor &x, const at::Tensor &weight) {
    return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() >= 2 && x.numel() > 0
        && weight.scalar_type() == at::kFloat && !c10::GradMode::is_enabled()
        && !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace

LoopyMessage loopy_torch_linear(
    LoopyTensor input, LoopyTensor weights, LoopyTensor bias_or_null, LoopyTensor *result) {
    return guarded([&] {
        const at::Tensor x = unwrap(input), weight = unwrap(weights);
        const auto bias =
            bias_or_null ? std::make_optional(unwrap(bias_or_null)) : std::nullopt;
        const auto *fast = suits(x, weight) ? by_oneDNN() : nullptr;
        *result = wrap(
            fast ? fast->call(x, weight, bias, "none", Scalars(), "")
                 : at::linear(x, weight, bias));
    });
}
