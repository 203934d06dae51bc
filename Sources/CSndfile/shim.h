// What Swift sees of libsndfile: its public header.
#ifndef LOOPY_CSNDFILE_SHIM_H
#define LOOPY_CSNDFILE_SHIM_H

#include <sndfile.h>

#endif
