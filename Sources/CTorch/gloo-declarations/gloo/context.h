// What ProcessGroupGloo.hpp names of Gloo: libtorch's wheel has Gloo's code and not its headers. Loopy
// hands these objects on and looks into none.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
public:
    void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
