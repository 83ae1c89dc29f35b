package ingest

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Limits bound what is kept. 0 means no limit.
type Limits struct {
	// RunBytes is how many bytes of a run are kept, before compression: output, cases and artifacts of all its attempts.
	RunBytes int64
	// RunCases is how many cases of a run are kept, those of all its attempts.
	RunCases int64
	// NamespaceBytes is how many bytes of blobs are kept of a namespace, after compression.
	NamespaceBytes int64
}

// DefaultLimits are those without a setting.
func DefaultLimits() Limits {
	return Limits{RunBytes: 2 << 30, RunCases: 1_000_000, NamespaceBytes: 20 << 30}
}

// exceeded says which limit a chunk would exceed; empty if none. Chunks that arrive at the same time may exceed it together by a few MiB.
func (l Limits) exceeded(run, all archive.Amount, chunk archive.NewChunk) string {
	switch {
	case l.RunBytes > 0 && run.Length+chunk.Chunk.Length > l.RunBytes:
		return fmt.Sprintf("the run has reached the limit of %d bytes that the archive keeps of a run: the rest is not kept", l.RunBytes)
	case l.RunCases > 0 && len(chunk.Cases) > 0 && run.Cases+int64(len(chunk.Cases)) > l.RunCases:
		return fmt.Sprintf("the run has reached the limit of %d cases that the archive keeps of a run: the rest is not kept", l.RunCases)
	case l.NamespaceBytes > 0 && all.Size >= l.NamespaceBytes:
		return fmt.Sprintf("the namespace %s has reached the limit of %d bytes that the archive keeps of a namespace: the rest is not kept",
			chunk.Namespace, l.NamespaceBytes)
	}
	return ""
}

// How many requests are read and stored at the same time: each takes up to about 3 MiB of memory. One attempt, and one namespace, cannot keep
// out all others.
const (
	maxUnderway            = 48
	maxUnderwayOfNamespace = maxUnderway / 2
	maxUnderwayOfAttempt   = 8
)

// gate bounds the requests that are under way.
type gate struct {
	mutex sync.Mutex
	all   int
	of    map[string]int
}

func newGate() *gate { return &gate{of: map[string]int{}} }

// enter lets a request of an attempt in, until it calls release.
func (g *gate) enter(owner archive.Owner) (release func(), err error) {
	namespace, attempt := owner.Namespace, fmt.Sprintf("%s/%s/%d", owner.Namespace, owner.UID, owner.Attempt)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.all >= maxUnderway || g.of[namespace] >= maxUnderwayOfNamespace || g.of[attempt] >= maxUnderwayOfAttempt {
		return nil, &refusal{http.StatusTooManyRequests, reasonBusy, "too much is being pushed at once: push it again later"}
	}
	g.add(1, namespace, attempt)
	return func() {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.add(-1, namespace, attempt)
	}, nil
}

func (g *gate) add(n int, names ...string) {
	g.all += n
	for _, name := range names {
		if g.of[name] += n; g.of[name] == 0 {
			delete(g.of, name)
		}
	}
}
