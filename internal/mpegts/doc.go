// Package mpegts reads a live MPEG transport stream (ISO/IEC 13818-1): bytes
// in, access units out, on the sender's clock. It expects damage: lost packets,
// tables that change, counters that wrap, and costs a bounded amount for any
// input.
package mpegts
