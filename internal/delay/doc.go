// Package delay collects how long the stages of the media path take, and says
// what they took lately.
package delay
