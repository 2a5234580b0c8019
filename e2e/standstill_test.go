package e2e

import "time"

// standstill is how long a machine may run nothing before real time is lost on
// it: half of what the node lets a worker be silent.
const standstill = 500 * time.Millisecond
