package api

import (
	"net/http"
	"slices"
)

// Admit judges, by its key or its session, a request that the control listener
// takes for something outside of the document: one of the scopes will do. An
// error says why not.
func (s *Server) Admit(r *http.Request, scopes ...Scope) error {
	if s.open {
		if !s.local && !fromHere(r) {
			return problem(http.StatusForbidden, "cross-origin", "Without keys, only this machine's own pages and tools may ask.", "Set auth.mode to on.")
		}
		return nil
	}
	holder, err := s.holder(r)
	if err == nil && !Covers(holder.Scopes, scopes...) {
		err = problem(http.StatusForbidden, "forbidden", "This key does not allow it.", "")
	}
	return err
}

// Covers holds when a set of scopes contains one of those that will do.
func Covers(have []Scope, scopes ...Scope) bool {
	return slices.ContainsFunc(scopes, func(need Scope) bool { return allows(have, need) })
}
