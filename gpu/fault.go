package gpu

import (
	"errors"

	"millrace/gpu/cuda"
)

// Fault is how a card fails whoever uses it.
type Fault string

// The faults of cards.
const (
	FaultLost    Fault = "lost"    // the card or its context is gone
	FaultMemory  Fault = "memory"  // nothing is left of the card's memory
	FaultSilent  Fault = "silent"  // the card does not answer
	FaultEncoder Fault = "encoder" // its encoder was refused or stopped
)

// errEncoder marks what a card's encoder or decoder did not do.
var errEncoder = errors.New("the card's encoder failed")

// FaultOf says which fault of a card an error is; empty when it is none.
func FaultOf(err error) Fault {
	switch {
	case errors.Is(err, cuda.ErrLost):
		return FaultLost
	case errors.Is(err, cuda.ErrMemory):
		return FaultMemory
	case errors.Is(err, cuda.ErrHang):
		return FaultSilent
	case errors.Is(err, errEncoder):
		return FaultEncoder
	}
	return ""
}
