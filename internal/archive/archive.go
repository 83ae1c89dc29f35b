// Package archive keeps what runs said after the runs, their pods and their logs are gone: see docs/archive.md.
//
// A Store keeps rows in SQLite or PostgreSQL. Blobs, in the folder blobs, keep bytes: output, cases as they were pushed, artifacts. The
// folder ingest fills both.
package archive

import (
	"errors"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// ErrNotFound means that nothing is kept under that name.
var ErrNotFound = errors.New("not found")

// ErrReadOnly means that nothing more can be stored now: the disk is full, for one. What is kept can be read.
var ErrReadOnly = errors.New("the archive is read-only")

// Run is what is kept of a TestRun, without its attempts.
type Run struct {
	UID             string
	Namespace, Name string
	// Test is the name of its Test; empty for a run with a definition of its own. Series is what the run is compared with: see SeriesOf.
	Test, Series string
	Labels       map[string]string
	// Phase, Verdict, Reason and Message are those of the status.
	Phase, Verdict, Reason, Message string
	Flaky, Pinned                   bool
	// Created, Started and Finished are zero where the object does not say so yet. Deleted is when the object was seen to be gone.
	Created, Started, Finished, Deleted time.Time
	Counts                              Counts
	// ResourceVersion is that of the newest state that is kept.
	ResourceVersion string
}

// Counts are numbers of cases.
type Counts struct {
	Passed, Failed, Errored, Skipped, Flaky int64
}

// Attempt is what is kept of an attempt.
type Attempt struct {
	UID    string
	Number int32
	// Job, Pod, Node, Verdict, Reason, ExitCode and the times are those of the status.
	Job, Pod, Node, Verdict, Reason string
	ExitCode                        *int32
	Created, Started, Finished      time.Time
	Counts                          Counts
	Progress                        push.Progress
	// Ended means that the runner has pushed its End. Missing is what it left out, in words.
	Ended   bool
	Missing []string
}

// Source says where the bytes of a stream come from.
type Source string

// The sources.
const (
	// FromRunner means that the runner pushed it.
	FromRunner Source = "runner"
	// FromKubelet means that it was read from the pod's log.
	FromKubelet Source = "kubelet"
	// FromStatus means that only what the object's status says is known, which is bounded.
	FromStatus Source = "status"
)

// StreamState is what is kept of a stream.
type StreamState struct {
	UID     string
	Attempt int32
	push.Stream
	Source Source
	// Length is how much of the stream is kept from its beginning on without a gap, and Stored how much in all, in bytes, uncompressed.
	Length, Stored int64
	// Wanted is how long the stream is, by its End; -1 if there has been none. SHA256 is what the End says.
	Wanted int64
	SHA256 string
	// Verified means that all of it is kept, and is what the End says. Altered means that all of it is kept and is something else.
	Verified, Altered bool
	// Cut says in words why something is missing, where the server knows it: a limit of size, for one. Empty otherwise.
	Cut string
	// Expired is when the bytes were deleted by their retention; zero if they are kept.
	Expired time.Time
	// Gaps are the parts that are missing, in order; at most MaxGaps.
	Gaps []push.Gap
}

// MaxGaps is how many gaps of a stream are listed.
const MaxGaps = 100

// Chunk is a part of a stream, as it is kept.
type Chunk struct {
	Offset, Length int64
	// Key is that of the blob: a gzip member. Size is the blob's, in bytes.
	Key  string
	Size int64
}

// CaseResult is how a case ended in an attempt.
type CaseResult struct {
	// Number counts the cases of the attempt from 1, in the order in which the test reported them.
	Number   int64
	Name     string
	Suite    string
	Outcome  results.Outcome
	Duration time.Duration
	Location string
	Message  string
	Flaky    bool
}

// CaseOutcome is a case in one run of its history.
type CaseOutcome struct {
	UID, Run string
	Attempt  int32
	Created  time.Time
	Outcome  results.Outcome
	Flaky    bool
	Duration time.Duration
	Message  string
}

// Filter selects runs. Empty fields select all.
type Filter struct {
	Namespace, Series, Verdict, Phase string
	// Label is one "key=value".
	Label string
	// Namespaces are those that the reader may see; nil means all.
	Namespaces []string
}

// Page says where a page of a list begins and how long it is. The zero After is the newest.
type Page struct {
	After Key
	Limit int
}

// Key is the place of a run in lists, newest first.
type Key struct {
	Created time.Time
	UID     string
}
