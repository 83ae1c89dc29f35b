package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

const (
	// lookEvery is how often the store is asked what has changed, while somebody listens.
	lookEvery = 250 * time.Millisecond
	// maxRing is how many changes are remembered, so that who was away for a moment misses none.
	maxRing = 4000
	// ringTimeout is for the first look.
	ringTimeout = 10 * time.Second
)

// change is a run that was changed, as it is sent.
type change struct {
	number                          int64
	uid, namespace, series, verdict string
	data                            []byte
}

// changes remembers the last changes of runs. It asks the store as long as somebody listens; nobody who listens asks it for themselves.
type changes struct {
	store Store
	log   *slog.Logger

	mutex     sync.Mutex
	listening int
	stop      context.CancelFunc
	// ring has all changes after the number from and up to last, in their order. What is in it is never changed.
	ring       []*change
	from, last int64
	// news is closed when there are more.
	news chan struct{}
}

// join begins to remember changes, if nobody else listens. leave has to be called then.
func (c *changes) join(ctx context.Context) (leave func(), err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.listening == 0 {
		if err := c.begin(ctx); err != nil {
			return nil, err
		}
	}
	c.listening++
	return sync.OnceFunc(func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.listening--
		if c.listening == 0 {
			c.stop()
			c.ring = nil
		}
	}), nil
}

// begin reads the last changes. So who was away while nobody else listened, or listened elsewhere, misses none.
func (c *changes) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ringTimeout)
	defer cancel()
	last, err := c.store.LastChange(ctx)
	if err != nil {
		return err
	}
	c.from = max(0, last-maxRing)
	c.ring, c.last, c.news = nil, c.from, make(chan struct{})
	for more := true; more; {
		found, err := c.store.Changes(ctx, c.last, archive.MaxPage)
		if err != nil {
			return err
		}
		c.add(found)
		more = len(found) == archive.MaxPage
	}
	c.last = max(c.last, last)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go c.follow(following)
	return nil
}

// follow asks for changes until nobody listens any more.
func (c *changes) follow(ctx context.Context) {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		err := c.look(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "The changes of runs cannot be read: whoever listens hears nothing", "error", err)
		}
		failed = err != nil
	}
}

// look adds what has changed.
func (c *changes) look(ctx context.Context) error {
	for {
		c.mutex.Lock()
		last := c.last
		c.mutex.Unlock()
		found, err := c.store.Changes(ctx, last, archive.MaxPage)
		if err != nil || len(found) == 0 {
			return err
		}
		c.mutex.Lock()
		if ctx.Err() == nil { // else somebody else may have begun anew
			c.add(found)
			close(c.news)
			c.news = make(chan struct{})
		}
		c.mutex.Unlock()
		if len(found) < archive.MaxPage {
			return ctx.Err()
		}
	}
}

// add remembers changes, and forgets the oldest ones if there are too many.
func (c *changes) add(found []archive.Change) {
	for _, one := range found {
		data, _ := json.Marshal(eventOf(one))
		c.ring = append(c.ring, &change{one.Number, one.Run.UID, one.Run.Namespace, one.Run.Series, one.Run.Verdict, data})
		c.last = one.Number
	}
	if excess := len(c.ring) - maxRing; excess > maxRing/2 {
		c.from = c.ring[excess-1].number
		c.ring = slices.Clone(c.ring[excess:]) // who reads the old ones still has them
	}
}

// after lists the changes after a number; known is false if some of them are forgotten, or the number is none of this archive. last is that
// of the newest change, and news is closed when there is a newer one.
func (c *changes) after(number int64) (found []*change, last int64, known bool, news <-chan struct{}) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if number < c.from || number > c.last {
		return nil, c.last, false, c.news
	}
	first, _ := slices.BinarySearchFunc(c.ring, number+1, func(one *change, number int64) int { return int(one.number - number) })
	return c.ring[first:len(c.ring):len(c.ring)], c.last, true, c.news
}

// newest are of several changes of a run only the last one, in the order of their numbers.
func newest(all []*change) []*change {
	seen := make(map[string]bool, len(all))
	var out []*change
	for _, one := range slices.Backward(all) {
		if !seen[one.uid] {
			seen[one.uid] = true
			out = append(out, one)
		}
	}
	slices.Reverse(out)
	return out
}
