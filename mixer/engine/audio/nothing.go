package audio

// Nothing is the sound of what has none.
type Nothing struct{}

// Read clears.
func (Nothing) Read(_ int64, to Block) (any bool) {
	to.Clear()
	return false
}
