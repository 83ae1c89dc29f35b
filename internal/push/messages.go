package push

import "github.com/testrun-dev/testrun/internal/results"

// Case is a line of the stream of cases. A later line with the same number replaces an earlier one: an attempt was repeated, or the
// explanation came late. Later is what has the higher offset in the stream.
type Case struct {
	// Number counts the cases of the attempt from 1. Those that turn out late to be cases of their own have numbers from 1<<32 on.
	Number int64  `json:"i"`
	Name   string `json:"n,omitempty"`
	Suite  string `json:"s,omitempty"`
	// Outcome is empty if there is no such case after all: an earlier line with that number is withdrawn.
	Outcome results.Outcome `json:"o"`
	// Microseconds is how long the case took; 0 if nothing says so.
	Microseconds int64  `json:"us,omitempty"`
	Location     string `json:"l,omitempty"`
	Message      string `json:"m,omitempty"`
	Flaky        bool   `json:"f,omitempty"`
	Nested       bool   `json:"x,omitempty"`
}

// Progress says how far a test is.
type Progress struct {
	// Done is how many cases have ended, and Failed how many of them failed or errored.
	Done   int64 `json:"done"`
	Failed int64 `json:"failed,omitempty"`
	// Total is how many there will be; 0 if that is not known.
	Total int64 `json:"total,omitempty"`
}

// End is the last message of an attempt. It may come again.
type End struct {
	Streams []StreamEnd `json:"streams,omitempty"`
	// Missing says in words for people what was left out altogether: an artifact that is too large, for one. At most MaxMissing.
	Missing []string `json:"missing,omitempty"`
}

// MaxMissing is how many things that were left out are named. MaxStreams is how many streams an attempt has at most.
const (
	MaxMissing = 100
	MaxStreams = 1002
)

// StreamEnd says what a stream should be.
type StreamEnd struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path,omitempty"`
	// Length is in bytes, uncompressed, gaps included.
	Length int64 `json:"length"`
	// SHA256 is that of the whole stream, gaps included, in lower-case hex.
	SHA256 string `json:"sha256"`
	// Gaps are the parts that were not pushed, and will not be, since the server could not keep up or could not be reached.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is a part of a stream: its offset and its length.
type Gap struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Refusal is the body of an answer other than 204. A runner pushes what was refused again later if the code is 429 or 5xx. It gives up on
// this stream if the code is 413, and on everything if it is any other.
type Refusal struct {
	// Error says what is wrong and what to do.
	Error string `json:"error"`
}

// MaxMessage is how long the body of a Progress or an End is at most, in bytes.
const MaxMessage = 1 << 20
