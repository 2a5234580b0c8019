// Package gpu holds everything that touches pictures: devices, frames, video
// decoders, the compositor and video encoders. The CPU is one of the devices.
//
// Frames are counted references. Whoever receives a *Frame owns one reference,
// also when the receiver fails; to share one, Retain first. A frame is written
// only by who made it and never after it was handed on.
//
// The value of a composed pixel is defined by kernels/pixel.h.
package gpu
