//go:build linux

// Package pusher pushes what a test says to the server that keeps it, while the test runs: see internal/push. It never waits for the server
// while the test runs, and takes up little memory: what the server cannot take becomes a gap, which is told. Everything that is pushed may
// be lost without harm to the test: its streams, its exit code and its report do not depend on it.
package pusher

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// age is how old a part of a stream may be before it is pushed. It is also how often there is progress.
	age = time.Second
	// The time before a failed request is made again begins at minBackoff and doubles up to maxBackoff.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Options say what to push and where to.
type Options struct {
	// URL is the server's, and Pins are its keys: see runner.Options.
	URL  string
	Pins []string
	// TokenFile holds the token that allows to push.
	TokenFile string
	Attempt   push.Attempt
	// Artifacts is the folder with the files that are pushed when the test has ended; empty if there is none.
	Artifacts string
	// ArtifactsError says why the folder could not be made; nil if it could.
	ArtifactsError error
	// Connected, if set, is called when a connection has been made.
	Connected func()
}

// Pusher pushes the output, the cases, the files and the progress of one execution of a test. Its methods may be called from any
// goroutine.
type Pusher struct {
	attempt   push.Attempt
	artifacts string
	client    *client
	// woken tells the sender that there may be something to do.
	woken chan struct{}
	// ending is closed when the test has ended, hurry when there is no time left but for the last message, stop when there is none at all, and
	// done when the sender has ended.
	ending, hurry, done chan struct{}
	stop                context.CancelFunc

	mu            sync.Mutex
	memory        *memory
	output, cases *stream
	list          caseList
	progress      progress
	missing       missing
	// stopBy is when the last request has to have ended; zero if nothing says so.
	stopBy time.Time
	// failed is why the latest request was in vain; nil if it was not. refused is why there will be no more.
	failed, refused error
	// complete means that the server has taken the last message.
	complete bool
}

// progress is what the server should know, what it was told, and when it may be told next.
type progress struct {
	now, told push.Progress
	next      time.Time
}

// New returns one that pushes until Finish. Its error says what is wrong with the options.
func New(o Options) (*Pusher, error) {
	if o.Attempt.UID == "" {
		return nil, errors.New("--identity is missing: nothing says whose output it is")
	}
	client, err := newClient(o.URL, o.TokenFile, o.Pins)
	if err != nil {
		return nil, err
	}
	memory, stages, err := newMemory(stageOutput, stageCases)
	if err != nil {
		return nil, err
	}
	p := &Pusher{
		attempt: o.Attempt, artifacts: o.Artifacts, client: client, memory: memory,
		output: newStream(push.Stream{Kind: push.Output}, stages[0]), cases: newStream(push.Stream{Kind: push.Cases}, stages[1]),
		woken: make(chan struct{}, 1), ending: make(chan struct{}), hurry: make(chan struct{}), done: make(chan struct{}),
	}
	p.output.reserved = memory.total / 4 // a flood of output leaves room for the cases
	p.list.pusher = p
	client.connected = o.Connected
	if o.ArtifactsError != nil {
		p.artifacts = ""
		p.missing.add("the artifacts: the folder %s: %v", o.Artifacts, o.ArtifactsError)
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go p.send(ctx)
	return p, nil
}

// Output takes what the test has printed. It does not keep b.
func (p *Pusher) Output(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.append(p.output, b)
}

// line takes a line of the stream of cases. A chunk of it holds whole lines.
func (p *Pusher) line(b []byte) {
	if len(b) > cap(p.cases.staged)-len(p.cases.staged) {
		p.cases.pack(p.memory)
	}
	p.append(p.cases, b)
}

// append adds to a stream. It wakes the sender when there is a chunk, and when the age of the next one begins.
func (p *Pusher) append(s *stream, b []byte) {
	for len(b) > 0 {
		begins := len(s.staged) == 0
		b = b[s.stage(b):]
		full := len(s.staged) == cap(s.staged)
		if full {
			s.pack(p.memory)
		}
		if begins || full {
			p.wake()
		}
	}
}

func (p *Pusher) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// Sums ends the streams. It returns what they should be, for the report. shown is the format whose cases the report shows.
func (p *Pusher) Sums(shown results.Format) *results.Archive {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.end(shown)
	return &results.Archive{Output: p.output.sum(), Cases: p.cases.sum()}
}
