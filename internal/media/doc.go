// Package media is the vocabulary that every stage shares: time on the channel
// timeline, exact frame rates, tracks, packets and the sinks that take them.
// It imports the standard library only.
package media
