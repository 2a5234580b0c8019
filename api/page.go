package api

import "sort"

const defaultPage = 100

// page cuts one page out of items that are ordered by id. The cursor is the
// id of the last item of the page before; next is empty at the end.
func page[T any](items []Stored[T], id func(T) string, cursor string, limit int) (values []T, next string) {
	if limit == 0 {
		limit = defaultPage
	}
	first := sort.Search(len(items), func(i int) bool { return id(items[i].Value) > cursor })
	last := min(first+limit, len(items))
	values = make([]T, 0, last-first)
	for _, item := range items[first:last] {
		values = append(values, item.Value)
	}
	if last < len(items) {
		next = id(items[last-1].Value)
	}
	return values, next
}
