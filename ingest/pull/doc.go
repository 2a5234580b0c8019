// Package pull fetches feeds from addresses that an operator named: RTMP, HLS, and
// MPEG transport streams by UDP.
package pull
