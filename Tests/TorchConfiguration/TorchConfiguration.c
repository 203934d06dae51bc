// Configures libtorch for the tests, as every executable does when it begins: a bundle of tests has no
// beginning of its own.
#include "CTorch.h"
#include "TorchConfiguration.h"

__attribute__((constructor)) static void configure(void) { loopy_torch_configure(0); }
