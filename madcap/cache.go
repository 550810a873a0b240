package madcap

import "time"

// cacheKey is what makes a client's message the same message (RFC 2730, section 2.1.4).
type cacheKey struct {
	kind Type
	xid  uint32
	id   LeaseID
}

type cached struct {
	response []byte // nil: it was answered with silence
	until    time.Time
	key      cacheKey
}

// cache repeats responses to messages that are sent again, because requests are not idempotent. When it is full the oldest
// goes first: all live equally long, so that the order of arrival is the order of expiry.
type cache struct {
	interval time.Duration
	limit    int
	byKey    map[cacheKey][]byte
	queue    []cached
}

func newCache(interval time.Duration, limit int) *cache {
	return &cache{interval: interval, limit: limit, byKey: map[cacheKey][]byte{}}
}

// get returns the response to a message that was answered before.
func (c *cache) get(now time.Time, k cacheKey) ([]byte, bool) {
	for len(c.queue) > 0 && !now.Before(c.queue[0].until) {
		c.drop()
	}
	response, ok := c.byKey[k]
	return response, ok
}

func (c *cache) put(now time.Time, k cacheKey, response []byte) {
	if c.interval == 0 {
		return
	}
	for len(c.queue) >= c.limit {
		c.drop()
	}
	c.byKey[k] = response
	c.queue = append(c.queue, cached{response, now.Add(c.interval), k})
}

func (c *cache) drop() {
	delete(c.byKey, c.queue[0].key)
	c.queue = c.queue[1:]
}
