// Package engine is what runs in a channel's worker process: it decodes the
// sources, chooses what is on screen at each tick, composes the program scene,
// mixes the sound, and encodes the ladder. Packets and commands in, packets
// and reports out.
//
// A tick stands in tick.go; what a source shows in input.go and test_source.go;
// the ladder in rung.go; the sound in sound.go, what each guest hears of it in
// returns.go, and how in audio/; the pictures that the engine draws itself in
// pattern/; the process around it in serve.go.
package engine
