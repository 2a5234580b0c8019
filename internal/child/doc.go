// Package child runs re-executed processes of this binary: it starts them,
// talks to them over a framed socket, restarts them when they end and takes
// them along when the server dies. Linux only.
package child
