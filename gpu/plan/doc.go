// Package plan decides which channel is mixed and encoded where, on any mix of
// cards, and keeps the account of what they carry. It is arithmetic over what a
// card is believed to do: it talks to no driver.
package plan
