// Package rtmp takes publishers of RTMP and Enhanced RTMP v2: a listener, who
// may publish what, and the way from messages to access units on the source's
// clock.
package rtmp
