package gpu

// crowded is the number of things kept before those out of use are dropped:
// above what a scene of 32 layers at rest needs.
const crowded = 256

// cache keeps what a scene at rest needs again every tick. One goroutine at a
// time.
type cache[K comparable, V any] struct {
	build   func(K) V
	free    func(V)
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	used  bool // since the last trim
}

func newCache[K comparable, V any](build func(K) V, free func(V)) cache[K, V] {
	return cache[K, V]{build, free, map[K]*entry[V]{}}
}

// get gives what belongs to the key, which lives until a trim that finds it unused.
func (c *cache[K, V]) get(key K) V {
	e := c.entries[key]
	if e == nil {
		e = &entry[V]{value: c.build(key)}
		c.entries[key] = e
	}
	e.used = true
	return e.value
}

// trim ends a tick: when there are too many, what it did not use is dropped.
func (c *cache[K, V]) trim() {
	drop := len(c.entries) > crowded
	for key, e := range c.entries {
		if drop && !e.used {
			c.free(e.value)
			delete(c.entries, key)
		}
		e.used = false
	}
}

func (c *cache[K, V]) close() {
	for _, e := range c.entries {
		c.free(e.value)
	}
	clear(c.entries)
}
