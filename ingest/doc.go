// Package ingest turns what publishers and pulls send into packets on the
// channel timeline: one Source per feed, its Timeline and its GOP cache. The
// protocols stand in the folders below it and speak Session.
package ingest
