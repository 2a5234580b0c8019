// Package pattern draws the pictures that the engine makes itself: the moving
// test sources with their readable and machine-readable frame counters, and
// the slate that stands in for a lost source. Pure Go on planes in memory.
package pattern
