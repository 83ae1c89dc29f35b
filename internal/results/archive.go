package results

import (
	"encoding/hex"
	"time"
)

// Archive says what the server should have of a test, so that what it lacks, or what was altered, can be found.
type Archive struct {
	// Output is what the test printed, both streams in the order in which they were written. Cases are all cases, as they were pushed.
	Output, Cases Sum
	// Error says why the server has not got all; empty if it has, or if that is not known yet.
	Error string
	// Ended is when the test had ended and what was left began to be pushed, by the node's clock in whole seconds; zero if that is not known.
	Ended time.Time
}

// LongestPush is how long the runner pushes what is left when the test has ended.
const LongestPush = time.Minute

// Sum is the length of a stream in bytes, and its SHA-256 in lower-case hex; zero for a stream that was not read.
type Sum struct {
	Length int64  `json:"length"`
	SHA256 string `json:"sha256"`
}

type encodedArchive struct {
	Output Sum    `json:"output,omitzero"`
	Cases  Sum    `json:"cases,omitzero"`
	Error  string `json:"error,omitempty"`
	Ended  int64  `json:"ended,omitempty"`
}

const (
	// maxArchiveError bounds what the report says about the archive, so that it always fits.
	maxArchiveError = 96
	// maxLength is more than anybody keeps of a stream.
	maxLength = 1 << 50
	// maxEnded is in the year 10889, so that times can be compared.
	maxEnded = 1 << 48 / 1000
)

func (a *Archive) encode() *encodedArchive {
	if a == nil {
		return nil
	}
	encoded := &encodedArchive{Output: a.Output, Cases: a.Cases, Error: Cut(a.Error, maxArchiveError)}
	if !a.Ended.IsZero() {
		encoded.Ended = a.Ended.Unix()
	}
	return encoded
}

func (a *encodedArchive) decode() *Archive {
	if a == nil {
		return nil
	}
	decoded := &Archive{Output: a.Output.believed(), Cases: a.Cases.believed(), Error: Cut(a.Error, MaxMessage)}
	if a.Ended > 0 && a.Ended < maxEnded {
		decoded.Ended = time.Unix(a.Ended, 0)
	}
	return decoded
}

// believed is the sum if it can be one.
func (s Sum) believed() Sum {
	if hash, err := hex.DecodeString(s.SHA256); err != nil || len(hash) != 32 || s.Length < 0 || s.Length > maxLength {
		return Sum{}
	}
	return s
}
