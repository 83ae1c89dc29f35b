//go:build linux

package pusher

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// maxGaps is how many gaps a stream may have. The last one lasts to the end of the stream.
const maxGaps = 1000

// stream is one that is pushed.
type stream struct {
	name push.Stream
	// staged is the end of the stream, not yet compressed. since is when its first byte came.
	staged []byte
	since  time.Time
	// length and hash are those of the whole stream so far.
	length int64
	hash   hash.Hash
	// queue has the chunks that wait to be pushed, in order.
	queue []*chunk
	gaps  []push.Gap
	// reserved is how many free blocks it leaves to the other stream.
	reserved int
	// refused means that the server takes no more of it.
	refused bool
}

// chunk is a part of a stream that waits to be pushed.
type chunk struct {
	of             *stream
	offset, length int64
	packed         *packed
}

func newStream(name push.Stream, stage []byte) *stream {
	return &stream{name: name, staged: stage, hash: sha256.New()}
}

// stage takes as much as there is room for, and returns how much that was.
func (s *stream) stage(b []byte) int {
	n := min(len(b), cap(s.staged)-len(s.staged))
	if n > 0 && len(s.staged) == 0 {
		s.since = time.Now()
	}
	s.stageRead(copy(s.staged[len(s.staged):cap(s.staged)], b[:n]))
	return n
}

// stageRead takes bytes that are in the memory behind what is staged.
func (s *stream) stageRead(n int) {
	begin := len(s.staged)
	s.staged = s.staged[:begin+n]
	s.hash.Write(s.staged[begin:])
	s.length += int64(n)
}

// stagedAt is the offset of what is staged.
func (s *stream) stagedAt() int64 { return s.length - int64(len(s.staged)) }

// waits says whether the next piece becomes a part of a gap. A gap that has begun ends only when half of the memory is free, so that a slow
// server makes a few large gaps and not thousands of small ones.
func (s *stream) waits(m *memory) bool {
	return s.refused || s.inGap() && (len(m.free) < m.total/2 || len(s.gaps) == maxGaps)
}

// inGap says whether what came before what is staged is missing.
func (s *stream) inGap() bool {
	if len(s.gaps) == 0 {
		return false
	}
	last := s.gaps[len(s.gaps)-1]
	return last.Offset+last.Length == s.stagedAt()
}

// pack makes a chunk of what is staged, or a gap if there is no room for it.
func (s *stream) pack(m *memory) {
	if len(s.staged) == 0 {
		return
	}
	var packed *packed
	if !s.waits(m) {
		packed = m.pack(s.staged, s.reserved)
	}
	if packed == nil {
		s.miss(s.stagedAt(), int64(len(s.staged)))
	} else {
		s.queue = append(s.queue, &chunk{s, s.stagedAt(), int64(len(s.staged)), packed})
	}
	s.staged = s.staged[:0]
}

// miss adds to the gaps. It is called in the order of the stream, but for what is dropped from the queue: see drop.
func (s *stream) miss(offset, length int64) {
	if n := len(s.gaps); n > 0 && s.gaps[n-1].Offset+s.gaps[n-1].Length == offset {
		s.gaps[n-1].Length += length
		return
	}
	s.gaps = append(s.gaps, push.Gap{Offset: offset, Length: length})
}

// refuse gives the stream up.
func (s *stream) refuse() {
	s.refused = true
	s.drop()
}

// drop makes a gap of everything that waits.
func (s *stream) drop() {
	waiting, later := s.queue, s.gaps
	s.queue, s.gaps = nil, nil
	for _, c := range waiting {
		for len(later) > 0 && later[0].Offset < c.offset {
			s.miss(later[0].Offset, later[0].Length)
			later = later[1:]
		}
		s.miss(c.offset, c.length)
		c.packed.release()
	}
	for _, gap := range later {
		s.miss(gap.Offset, gap.Length)
	}
	if len(s.staged) > 0 {
		s.miss(s.stagedAt(), int64(len(s.staged)))
		s.staged = s.staged[:0]
	}
}

// sum is the length and the hash of the stream so far.
func (s *stream) sum() results.Sum {
	return results.Sum{Length: s.length, SHA256: hex.EncodeToString(s.hash.Sum(nil))}
}

func (s *stream) end() push.StreamEnd {
	sum := s.sum()
	return push.StreamEnd{Kind: s.name.Kind, Path: s.name.Path, Length: sum.Length, SHA256: sum.SHA256, Gaps: s.gaps}
}
