package worker

// OnAir reports whether a worker carries the program; else filler does.
func (h *Host) OnAir() bool {
	s := h.present()
	return s != nil && s.onAir.Load()
}

// Pid is the process id of the present worker; 0 while there is none.
func (h *Host) Pid() int {
	if s := h.present(); s != nil {
		return s.process.Pid()
	}
	return 0
}
