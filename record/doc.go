// Package record is the store of a channel: the one copy of its CMAF chunks,
// appended once, served while live, as DVR and as recordings. FORMAT.md says
// what lies on disk. The live edge is the store's tail in memory; readers work
// on immutable snapshots (Edge) and never share a lock with the packager.
package record
