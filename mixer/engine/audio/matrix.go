package audio

// Matrix sums the parts of a tick: all of them for the program, and all but
// one for each return. What a sum leaves out was never in it, so nothing of it
// remains, not even rounding. One goroutine.
type Matrix struct {
	bus   Block
	parts []Block
	minus []Block
	held  Block // memory of the above, one after the other
}

// Reset makes room for a tick of length samples, silent, with so many returns.
func (m *Matrix) Reset(length, returns int) {
	blocks := 1 + 2*returns
	if m.held.Len() < blocks*length {
		m.held = NewBlock(blocks * length)
	}
	m.parts, m.minus = m.parts[:0], m.minus[:0]
	next := func(i int) Block { return m.held.Slice(i*length, (i+1)*length) }
	m.bus = next(0)
	for i := range returns {
		m.parts = append(m.parts, next(1+i))
		m.minus = append(m.minus, next(1+returns+i))
	}
	m.held.Slice(0, (1+returns)*length).Clear() // minus is written whole
}

// Bus is where the sources without a return are mixed; after Sum it is the
// program.
func (m *Matrix) Bus() Block { return m.bus }

// Part is where the source of the i-th return is mixed.
func (m *Matrix) Part(i int) Block { return m.parts[i] }

// Minus is the program without part i, after Sum.
func (m *Matrix) Minus(i int) Block { return m.minus[i] }

// Sum adds up: a return is the bus with the parts before its own, and those
// after it. That takes three additions a return, however many there are.
func (m *Matrix) Sum() {
	for i := range m.parts {
		m.minus[i].copy(m.bus)
		m.bus.add(m.parts[i])
	}
	if len(m.parts) < 2 {
		return
	}
	last := len(m.parts) - 1
	after := m.parts[last] // the sum of the parts behind i
	for i := last - 1; i >= 0; i-- {
		m.minus[i].add(after)
		m.parts[i].add(after)
		after = m.parts[i]
	}
}
