//go:build linux

package pusher

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
)

// send is the sender: it makes all requests, one after another.
func (p *Pusher) send(ctx context.Context) {
	defer close(p.done)
	wait := backoff(0)
	for !isClosed(p.ending) && ctx.Err() == nil {
		c, tell, left := p.next()
		var err error
		switch {
		case tell:
			err = p.tell(ctx)
		case c != nil:
			err = p.pushFirst(ctx, c)
		default:
			pause(ctx, left, p.ending, p.woken)
		}
		wait.after(err)
		if err != nil {
			pause(ctx, time.Duration(wait), p.ending, nil)
		}
	}
	p.finish(ctx)
}

// next is what to push now, a chunk or the progress; or else how long to wait for it, for ever if that is 0.
func (p *Pusher) next() (c *chunk, tell bool, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	isDue := func(at time.Time) bool {
		until := at.Sub(now)
		if until > 0 && (left == 0 || until < left) {
			left = until
		}
		return until <= 0
	}
	if p.progress.now != p.progress.told && isDue(p.progress.next) {
		return nil, true, 0
	}
	for _, s := range []*stream{p.cases, p.output} {
		if len(s.queue) == 0 && len(s.staged) > 0 && isDue(s.since.Add(age)) {
			s.pack(p.memory)
		}
		if len(s.queue) > 0 {
			return s.queue[0], false, 0
		}
	}
	return nil, false, left
}

// pushFirst pushes the first chunk of a stream once, and takes it out of the queue if the server has taken it. If the server takes no more of
// the stream, nothing is left in the queue.
func (p *Pusher) pushFirst(ctx context.Context, c *chunk) error {
	err := p.request(ctx, message{
		target:      push.ChunkPath(p.attempt, c.of.name, c.offset, c.length),
		contentType: "application/gzip", content: c.packed.reader, size: c.packed.size,
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		c.of.queue = c.of.queue[1:]
		c.packed.release()
	case isRefusal(err, tooLarge):
		c.of.refuse()
		return nil
	}
	return err
}

// tell pushes the progress. If that fails, it is told when it has changed again.
func (p *Pusher) tell(ctx context.Context) error {
	p.mu.Lock()
	p.progress.told, p.progress.next = p.progress.now, time.Now().Add(age)
	told := p.progress.told
	p.mu.Unlock()
	return p.request(ctx, asJSON(push.ProgressPath(p.attempt), told))
}

// asJSON is a message that says something in JSON.
func asJSON(target string, what any) message {
	encoded, err := json.Marshal(what)
	if err != nil {
		panic(err) // the types hold nothing that JSON cannot say
	}
	return message{target, "application/json", func() io.Reader { return bytes.NewReader(encoded) }, len(encoded)}
}

// request makes a request once. If the server refuses everything, there will be no more.
func (p *Pusher) request(ctx context.Context, m message) error {
	err := p.client.put(ctx, m)
	if ctx.Err() != nil {
		return err // nobody waits for the answer any more: what came before says more
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = err
	if err != nil && !mayPass(err) && !isRefusal(err, tooLarge) {
		p.refused = err
		p.output.refuse()
		p.cases.refuse()
		p.stop()
	}
	return err
}

// backoff is how long to wait before a request is made again.
type backoff time.Duration

func (b *backoff) after(err error) {
	if err == nil {
		*b = 0
		return
	}
	*b = backoff(min(max(2*time.Duration(*b), minBackoff), maxBackoff))
}

// pause waits, for ever if the time is 0, until one of the channels has something or there is to be nothing more.
func pause(ctx context.Context, most time.Duration, one, other <-chan struct{}) {
	var over <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-one:
	case <-other:
	case <-ctx.Done():
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
