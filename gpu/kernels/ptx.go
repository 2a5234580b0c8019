package kernels

import _ "embed"

// PTX is compose.cu for compute capability 7.5 and newer, written by
// scripts/kernels.sh; the driver compiles it for the card that is there.
//
//go:embed compose.ptx
var PTX string

// Function is the name of the kernel in PTX. Its one argument is the address of
// a packed work list, its grid tiles x shows.
const Function = "millrace_compose"

// Threads is the kernel's block.
const Threads = 256
