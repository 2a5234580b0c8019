// Package iso records single sources as they come: the publisher's own access
// units on the channel timeline, in fragmented MP4 files, without decoding them.
//
// A file is ftyp, moov, then for each fragment prft, moof and mdat, and when it
// is finished mfra. prft says which instant of the timeline the fragment's first
// decode time is, so that the files of a recording can be laid side by side. A
// fragment is one write, durable when it returned: a process that ends at any
// moment costs the last fragment, about a second. A file that was not finished
// is finished by the next Recorder of the same folder. Where a source changes
// its tracks or their configuration another file begins, at a key frame.
package iso
