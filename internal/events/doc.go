// Package events tells whoever listens what happened: one Bus a node, an
// Event encoded once for all its readers, a bounded memory so that a reader who
// lost his connection goes on where he was. Nobody who publishes ever waits for
// a reader: one who does not keep up is cut off.
package events
