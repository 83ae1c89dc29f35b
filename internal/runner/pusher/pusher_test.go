//go:build linux

package pusher

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

func TestAStopLimitsTheLastPush(t *testing.T) {
	begun := time.Now()
	for name, test := range map[string]struct {
		stops []time.Duration
		want  time.Duration
	}{
		"no stop":           {nil, results.LongestPush},
		"a stop":            {[]time.Duration{time.Second}, time.Second},
		"the first of them": {[]time.Duration{2 * time.Second, 5 * time.Second}, 2 * time.Second},
		"a stop long after": {[]time.Duration{time.Hour}, results.LongestPush},
		"a stop in between": {[]time.Duration{time.Hour, time.Second}, time.Second},
	} {
		p := &Pusher{}
		for _, stop := range test.stops {
			p.StopBy(begun.Add(stop))
		}
		if got := p.until(begun).Sub(begun); got != test.want {
			t.Errorf("%s: it may take %s, want %s", name, got, test.want)
		}
	}
}

// model is what a stream should be: its bytes, and which of them are gone.
type model struct {
	*stream
	memory  *memory
	content []byte
	// sent are the bytes that a server has.
	sent []byte
	has  []bool
}

func newModel(t *testing.T) *model {
	t.Helper()
	memory, stages, err := newMemory(stageOutput)
	if err != nil {
		t.Fatal(err)
	}
	return &model{stream: newStream(push.Stream{Kind: push.Output}, stages[0]), memory: memory}
}

func (m *model) write(b []byte) {
	m.content = append(m.content, b...)
	m.sent, m.has = append(m.sent, make([]byte, len(b))...), append(m.has, make([]bool, len(b))...)
	for len(b) > 0 {
		if b = b[m.stage(b):]; len(m.staged) == cap(m.staged) {
			m.pack(m.memory)
		}
	}
}

// take sends the first chunk.
func (m *model) take(t *testing.T) {
	t.Helper()
	if len(m.queue) == 0 {
		return
	}
	c := m.queue[0]
	m.queue = m.queue[1:]
	in, err := gzip.NewReader(c.packed.reader())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(in)
	if err != nil || int64(len(plain)) != c.length {
		t.Fatalf("a chunk of %d bytes has %d: %v", c.length, len(plain), err)
	}
	copy(m.sent[c.offset:], plain)
	for i := range plain {
		m.has[int(c.offset)+i] = true
	}
	c.packed.release()
}

// Whatever is written, sent and dropped in whichever order: what was sent is right, and what was not is in a gap.
func TestWhatWasSentAndTheGapsAreTheWhole(t *testing.T) {
	noise, text := make([]byte, 1<<20), bytes.Repeat([]byte("ok 1 - a\n"), 1<<17)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t)
		m.reserved = random.IntN(40)
		for range 200 {
			switch random.IntN(8) {
			case 0, 1, 2:
				from := [][]byte{noise, text}[random.IntN(2)]
				m.write(from[:random.IntN(1+1<<random.IntN(20))])
			case 3:
				m.pack(m.memory)
			case 4:
				if random.IntN(10) == 0 {
					m.drop()
				}
			default:
				m.take(t)
			}
		}
		m.pack(m.memory)
		for len(m.queue) > 0 {
			m.take(t)
		}
		if len(m.memory.free) != m.memory.total {
			t.Fatalf("seed %d: %d of %d blocks are free in the end", seed, len(m.memory.free), m.memory.total)
		}
		expectWhole(t, seed, m)
	}
}

func expectWhole(t *testing.T, seed uint64, m *model) {
	t.Helper()
	end := int64(-1)
	gone := make([]bool, len(m.content))
	for _, gap := range m.gaps {
		if gap.Offset <= end || gap.Length <= 0 {
			t.Fatalf("seed %d: the gaps are %v", seed, m.gaps)
		}
		end = gap.Offset + gap.Length
		for i := gap.Offset; i < end; i++ {
			gone[i] = true
			m.sent[i] = m.content[i]
		}
	}
	for i := range gone {
		if gone[i] == m.has[i] {
			t.Fatalf("seed %d: byte %d was sent: %t, and is in a gap: %t", seed, i, m.has[i], gone[i])
		}
	}
	if !bytes.Equal(m.sent, m.content) || m.length != int64(len(m.content)) {
		t.Fatalf("seed %d: what was sent is not what was written", seed)
	}
}
