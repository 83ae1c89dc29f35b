//go:build linux

package pusher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// stalled is how long the server may take nothing after the test has ended. The rest is not pushed then.
	stalled = 3 * time.Second
	// lastWords is the part of that time that is left to say what was not pushed.
	lastWords = 2 * time.Second
	// look is how often that is looked at.
	look = 20 * time.Millisecond
)

// StopBy says when the last push has to have ended. It may be called at any time, and again.
func (p *Pusher) StopBy(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopBy.IsZero() || at.Before(p.stopBy) {
		p.stopBy = at
	}
}

// Finish pushes the rest when the test has ended and Sums has been called. It takes no longer than the constants above say. Its error says
// why the server has not got all. What the server lacks is a gap then, or the last message is missing.
func (p *Pusher) Finish() error {
	close(p.ending)
	defer p.stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	begun, moved, since := time.Now(), int64(-1), time.Now()
	for !isClosed(p.done) {
		select {
		case <-p.done:
		case <-ticker.C:
		}
		now := time.Now()
		if m := p.client.moved.Load(); m != moved {
			moved, since = m, now
		}
		until := p.until(begun)
		if now.Sub(since) > stalled || now.After(until) {
			p.stop()
			select {
			case <-p.done:
			case <-time.After(lastWords): // a file system may hang, and hold up the reading of an artifact
			}
			break
		}
		if now.After(until.Add(-lastWords)) && !isClosed(p.hurry) {
			close(p.hurry)
		}
	}
	return p.outcome()
}

// until is when the last push has to have ended.
func (p *Pusher) until(begun time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := begun.Add(results.LongestPush)
	if !p.stopBy.IsZero() && p.stopBy.Before(until) {
		return p.stopBy
	}
	return until
}

func (p *Pusher) outcome() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.complete:
		return nil
	case p.refused != nil:
		return p.refused
	case p.failed != nil:
		return fmt.Errorf("not all could be pushed: %w", p.failed)
	default:
		return errors.New("not all could be pushed: the time was over")
	}
}

// finish pushes what is left, then the artifacts, then the last message.
func (p *Pusher) finish(ctx context.Context) {
	for c := p.rest(); c != nil && ctx.Err() == nil; c = p.rest() {
		_ = p.insist(ctx, func() error { return p.pushFirst(ctx, c) }) // if it is in vain, rest drops it
	}
	files := p.pushArtifacts(ctx)
	if ctx.Err() != nil {
		return
	}
	_ = p.insist(ctx, func() error { // outcome says what became of it
		err := p.request(ctx, asJSON(push.EndPath(p.attempt), p.last(files)))
		p.mu.Lock()
		defer p.mu.Unlock()
		p.complete = err == nil
		return err
	})
}

// rest is the next chunk of what is left; nil if there is none, or no time for it. What is staged comes last, when there is room for it.
func (p *Pusher) rest() *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	both := []*stream{p.cases, p.output}
	if isClosed(p.hurry) {
		for _, s := range both {
			s.drop()
		}
	}
	for _, s := range both {
		if len(s.queue) > 0 {
			return s.queue[0]
		}
	}
	for _, s := range both {
		s.pack(p.memory)
		if len(s.queue) > 0 {
			return s.queue[0]
		}
	}
	return nil
}

// last is the last message.
func (p *Pusher) last(files []push.StreamEnd) push.End {
	p.mu.Lock()
	defer p.mu.Unlock()
	return push.End{Streams: append([]push.StreamEnd{p.output.end(), p.cases.end()}, files...), Missing: p.missing.words()}
}

// insist makes a request until the server has taken it, or refuses it for good, or the time is over. In a hurry it tries no more than once.
func (p *Pusher) insist(ctx context.Context, request func() error) error {
	wait := backoff(0)
	for {
		err := request()
		if err == nil || !mayPass(err) || ctx.Err() != nil || isClosed(p.hurry) {
			return err
		}
		wait.after(err)
		pause(ctx, time.Duration(wait), p.hurry, nil)
	}
}
